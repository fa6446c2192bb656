//! Decodes a file to UTF-8 from the encoding that another program used.

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

/// The text without a byte order mark. UTF-16 without a mark is recognised by its first character,
/// because our headers are ASCII.
pub(super) fn decoded(bytes: &[u8]) -> (Vec<u8>, Encoding) {
    match bytes {
        [0xef, 0xbb, 0xbf, text @ ..] => (text.to_vec(), Encoding::Utf8),
        [0xff, 0xfe, text @ ..] => (from_utf16(text, u16::from_le_bytes), Encoding::Utf16),
        [0xfe, 0xff, text @ ..] => (from_utf16(text, u16::from_be_bytes), Encoding::Utf16),
        [1..=0xff, 0, ..] => (from_utf16(bytes, u16::from_le_bytes), Encoding::Utf16),
        [0, 1..=0xff, ..] => (from_utf16(bytes, u16::from_be_bytes), Encoding::Utf16),
        _ => (bytes.to_vec(), Encoding::Utf8),
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
