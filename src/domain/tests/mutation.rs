//! Fuzzing: good inputs with a few changes. A good input with a flipped bit, a repeated piece or a
//! strange word reaches code that a random byte string never reaches.
//!
//! `PROPTEST_CASES` and `PROPTEST_RNG_SEED` set the length and the beginning; `scripts/torture`
//! sets both.

use proptest::prelude::*;
use proptest::sample::{Index, select};

#[derive(Clone, Debug)]
enum Change {
    Flip { at: Index, bit: u8 },
    Put { at: Index, word: Vec<u8> },
    Cut { at: Index, length: usize },
    Repeat { at: Index, length: usize },
    EndAt { at: Index },
}

/// One of `good`, with up to five changes; `words` are put in.
pub(crate) fn mutated(
    good: impl Strategy<Value = Vec<u8>>,
    words: &'static [&'static str],
) -> impl Strategy<Value = Vec<u8>> {
    let index = any::<Index>;
    let change = prop_oneof![
        (index(), 0..8_u8).prop_map(|(at, bit)| Change::Flip { at, bit }),
        (index(), select(words)).prop_map(|(at, word)| Change::Put {
            at,
            word: word.as_bytes().to_vec()
        }),
        (index(), any::<u8>()).prop_map(|(at, byte)| Change::Put {
            at,
            word: vec![byte]
        }),
        (index(), 1..12_usize).prop_map(|(at, length)| Change::Cut { at, length }),
        (index(), 1..40_usize).prop_map(|(at, length)| Change::Repeat { at, length }),
        index().prop_map(|at| Change::EndAt { at }),
    ];
    (good, prop::collection::vec(change, 0..6))
        .prop_map(|(good, changes)| changes.into_iter().fold(good, apply))
}

fn apply(mut bytes: Vec<u8>, change: Change) -> Vec<u8> {
    let place = |at: Index| at.index(bytes.len() + 1);
    match change {
        Change::Flip { at, bit } if !bytes.is_empty() => {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        Change::Flip { .. } => {}
        Change::Put { at, word } => {
            let at = place(at);
            bytes.splice(at..at, word);
        }
        Change::Cut { at, length } => {
            let at = place(at);
            bytes.drain(at..(at + length).min(bytes.len()));
        }
        Change::Repeat { at, length } => {
            let at = place(at);
            let piece = bytes[at..(at + length).min(bytes.len())].to_vec();
            bytes.splice(at..at, piece);
        }
        Change::EndAt { at } => bytes.truncate(place(at)),
    }
    bytes
}
