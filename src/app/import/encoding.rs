//! Decodes a file to UTF-8 from the encoding that another program used.

use std::borrow::Cow;

/// Stands for bytes that are no character. No UTF-8 text contains it, so its row is bad.
const NO_CHARACTER: u8 = 0xff;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Encoding {
    Utf8,
    /// In either byte order.
    Utf16,
}

impl Encoding {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Encoding::Utf8 => "UTF-8",
            Encoding::Utf16 => "UTF-16",
        }
    }
}

/// Decodes a text piece by piece.
pub(super) struct Decoder {
    pub encoding: Encoding,
    /// The unit of UTF-16.
    unit: fn([u8; 2]) -> u16,
    /// The bytes of a character that is not whole yet.
    rest: Vec<u8>,
}

impl Decoder {
    /// The decoder for a text with this beginning, and the length of its byte order mark. UTF-16
    /// without a mark is recognised by its first character, because our headers are ASCII.
    pub(super) fn of(beginning: &[u8]) -> (Decoder, usize) {
        use Encoding::{Utf8, Utf16};
        let (encoding, unit, mark): (_, fn([u8; 2]) -> u16, _) = match beginning {
            [0xef, 0xbb, 0xbf, ..] => (Utf8, u16::from_le_bytes, 3),
            [0xff, 0xfe, ..] => (Utf16, u16::from_le_bytes, 2),
            [0xfe, 0xff, ..] => (Utf16, u16::from_be_bytes, 2),
            [1..=0xff, 0, ..] => (Utf16, u16::from_le_bytes, 0),
            [0, 1..=0xff, ..] => (Utf16, u16::from_be_bytes, 0),
            _ => (Utf8, u16::from_le_bytes, 0),
        };
        let rest = Vec::new();
        (
            Decoder {
                encoding,
                unit,
                rest,
            },
            mark,
        )
    }

    /// The text of the next bytes, as far as its characters are whole.
    pub(super) fn decode<'b>(&mut self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        if self.encoding == Encoding::Utf8 {
            return Cow::Borrowed(bytes);
        }
        self.rest.extend_from_slice(bytes);
        let mut whole = self.rest.len() / 2 * 2;
        // The second half of a pair may be in the next bytes.
        if let Some(last) = self.rest[..whole].last_chunk::<2>()
            && (0xd800..0xdc00).contains(&(self.unit)(*last))
        {
            whole -= 2;
        }
        let rest = self.rest.split_off(whole);
        let bytes = std::mem::replace(&mut self.rest, rest);
        Cow::Owned(from_utf16(&bytes, self.unit))
    }

    /// The text of the bytes that are left at the end.
    pub(super) fn end(self) -> Vec<u8> {
        from_utf16(&self.rest, self.unit)
    }
}

fn from_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Vec<u8> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut text = Vec::with_capacity(bytes.len());
    for character in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        match character {
            Ok(character) => text.extend(character.encode_utf8(&mut [0; 4]).bytes()),
            Err(_) => text.push(NO_CHARACTER),
        }
    }
    text.extend(rest.iter().map(|_| NO_CHARACTER));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text without its mark, decoded at once and byte by byte.
    fn decoded(bytes: &[u8]) -> (Vec<u8>, Encoding) {
        let read = |piece: usize| {
            let (mut decoder, mark) = Decoder::of(bytes);
            let encoding = decoder.encoding;
            let pieces = bytes[mark..].chunks(piece);
            let mut text: Vec<u8> = pieces
                .flat_map(|bytes| decoder.decode(bytes).into_owned())
                .collect();
            text.extend(decoder.end());
            (text, encoding)
        };
        assert_eq!(read(1), read(usize::MAX));
        read(1)
    }

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn a_text_is_the_same_in_every_encoding() {
        let text = "key,title\r\nA,Накормить 🦜\r\n";
        assert_eq!(decoded(text.as_bytes()), (text.into(), Encoding::Utf8));
        for mark in ["\u{feff}", ""] {
            let marked = format!("{mark}{text}");
            for bytes in [
                utf16(&marked, u16::to_le_bytes),
                utf16(&marked, u16::to_be_bytes),
            ] {
                assert_eq!(decoded(&bytes), (text.into(), Encoding::Utf16), "{mark:?}");
            }
        }
        assert_eq!(
            decoded(format!("\u{feff}{text}").as_bytes()),
            (text.into(), Encoding::Utf8)
        );
        assert_eq!(decoded(b""), (Vec::new(), Encoding::Utf8));
    }

    #[test]
    fn a_lone_surrogate_of_utf_16_is_a_fault() {
        let lone = [
            &utf16("\u{feff}a", u16::to_le_bytes)[..],
            &[0x00, 0xd8],
            &utf16("b", u16::to_le_bytes),
        ]
        .concat();
        let cut = [&utf16("\u{feff}a", u16::to_le_bytes)[..], &[0x62]].concat();
        assert_eq!(decoded(&lone).0, b"a\xffb");
        assert_eq!(decoded(&cut).0, b"a\xff");
    }
}
