//! Checks that a JSON text is exactly as serialization would write it: the order of members, no
//! spaces, no needless escapes; or that a text is as a value is displayed.
//!
//! This serializer compares instead of writing, which costs less than writing and comparing
//! afterwards. It supports the types of which events consist; a test compares it with `serde_json`.

use std::fmt::{self, Write};

use serde::ser::{self, Impossible, Serialize};

/// Whether `text` is the written form of `value`.
pub(super) fn is_written(value: &impl Serialize, text: &str) -> bool {
    let mut written = Written {
        rest: text.as_bytes(),
        is_first: true,
    };
    value.serialize(&mut written).is_ok() && written.rest.is_empty()
}

/// Whether `text` is the displayed form of `value`.
pub(super) fn is_displayed(value: &impl fmt::Display, text: &str) -> bool {
    let mut written = Written {
        rest: text.as_bytes(),
        is_first: true,
    };
    write!(written, "{value}").is_ok() && written.rest.is_empty()
}

struct Written<'t> {
    rest: &'t [u8],
    /// Whether the next member is the first of its object.
    is_first: bool,
}

/// The text differs from the written form.
#[derive(Debug)]
struct Differs;

impl fmt::Display for Differs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the text differs")
    }
}

impl std::error::Error for Differs {}

impl ser::Error for Differs {
    fn custom<T: fmt::Display>(_: T) -> Differs {
        Differs
    }
}

impl Written<'_> {
    // Inlined, because a comparison of known length needs no call.
    #[inline(always)]
    fn expect(&mut self, bytes: &[u8]) -> Result<(), Differs> {
        self.rest = self.rest.strip_prefix(bytes).ok_or(Differs)?;
        Ok(())
    }

    fn digits(&mut self, mut number: u64) -> Result<(), Differs> {
        let mut digits = [0; 20];
        let mut first = digits.len();
        loop {
            first -= 1;
            digits[first] = b'0' + u8::try_from(number % 10).expect("a digit");
            number /= 10;
            if number == 0 {
                return self.expect(&digits[first..]);
            }
        }
    }
}

fn needs_escapes(text: &str) -> bool {
    text.bytes().fold(false, |needs, byte| {
        needs | (byte < b' ') | (byte == b'"') | (byte == b'\\')
    })
}

/// Types that no event contains.
macro_rules! never {
    ($($name:ident($($type:ty),*) -> $out:ty;)+) => {
        $(fn $name(self, $(_: $type),*) -> Result<$out, Differs> { Err(Differs) })+
    };
}

impl ser::Serializer for &mut Written<'_> {
    type Ok = ();
    type Error = Differs;
    type SerializeStruct = Self;
    type SerializeSeq = Impossible<(), Differs>;
    type SerializeTuple = Impossible<(), Differs>;
    type SerializeTupleStruct = Impossible<(), Differs>;
    type SerializeTupleVariant = Impossible<(), Differs>;
    type SerializeMap = Impossible<(), Differs>;
    type SerializeStructVariant = Impossible<(), Differs>;

    fn serialize_str(self, text: &str) -> Result<(), Differs> {
        if needs_escapes(text) {
            return self.expect(&serde_json::to_vec(text).map_err(|_| Differs)?);
        }
        self.expect(b"\"")?;
        self.expect(text.as_bytes())?;
        self.expect(b"\"")
    }

    /// Times and dates, which need no escapes.
    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<(), Differs> {
        self.expect(b"\"")?;
        write!(self, "{value}").map_err(|_| Differs)?;
        self.expect(b"\"")
    }

    fn serialize_bool(self, value: bool) -> Result<(), Differs> {
        self.expect(if value { b"true" } else { b"false" })
    }

    fn serialize_u8(self, number: u8) -> Result<(), Differs> {
        self.digits(number.into())
    }

    fn serialize_u16(self, number: u16) -> Result<(), Differs> {
        self.digits(number.into())
    }

    fn serialize_u32(self, number: u32) -> Result<(), Differs> {
        self.digits(number.into())
    }

    fn serialize_u64(self, number: u64) -> Result<(), Differs> {
        self.digits(number)
    }

    fn serialize_i64(self, number: i64) -> Result<(), Differs> {
        if number < 0 {
            self.expect(b"-")?;
        }
        self.digits(number.unsigned_abs())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Differs> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Differs> {
        value.serialize(self)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Differs> {
        self.serialize_str(variant)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Differs> {
        self.is_first = true;
        self.expect(b"{")?;
        Ok(self)
    }

    never! {
        serialize_i8(i8) -> ();
        serialize_i16(i16) -> ();
        serialize_i32(i32) -> ();
        serialize_f32(f32) -> ();
        serialize_f64(f64) -> ();
        serialize_char(char) -> ();
        serialize_bytes(&[u8]) -> ();
        serialize_none() -> ();
        serialize_unit() -> ();
        serialize_unit_struct(&'static str) -> ();
        serialize_seq(Option<usize>) -> Self::SerializeSeq;
        serialize_tuple(usize) -> Self::SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_map(Option<usize>) -> Self::SerializeMap;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Differs> {
        Err(Differs)
    }
}

impl ser::SerializeStruct for &mut Written<'_> {
    type Ok = ();
    type Error = Differs;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Differs> {
        if !std::mem::replace(&mut self.is_first, false) {
            self.expect(b",")?;
        }
        self.expect(b"\"")?;
        self.expect(name.as_bytes())?;
        self.expect(b"\":")?;
        value.serialize(&mut **self)
    }

    fn end(self) -> Result<(), Differs> {
        self.is_first = false;
        self.expect(b"}")
    }
}

impl fmt::Write for Written<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.expect(text.as_bytes()).map_err(|_| fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event_log::tests::any_event::any_event;

    proptest! {
        #[test]
        fn an_event_is_written_as_serialization_writes_it_and_in_no_other_way(
            event in any_event(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
        ) {
            let text = serde_json::to_string(&event).unwrap();
            prop_assert!(is_written(&event, &text));
            let mut other = text.clone().into_bytes();
            other[at.index(text.len())] = byte;
            if let Ok(other) = String::from_utf8(other) {
                prop_assert_eq!(is_written(&event, &other), other == text);
            }
            let longer = format!("{text} ");
            prop_assert!(!is_written(&event, &longer) && !is_written(&event, &text[..text.len() - 1]));
        }
    }
}
