//! Events are read as they were written.

use proptest::prelude::*;

use super::any_event::{any_batch, any_event_of};
use super::sample::lines_of;
use crate::domain::event::{Event, EventKind};
use crate::domain::id::Sequence;
use crate::event_log::{Batch, Hash, Line, LineKind};

fn assert_reads_back(batch: &Batch) -> Result<(), TestCaseError> {
    let mut previous = Hash::ZERO;
    let lines = lines_of(std::slice::from_ref(batch));
    prop_assert_eq!(lines.len(), batch.facts.len());
    for (index, (text, fact)) in lines.iter().zip(&batch.facts).enumerate() {
        let line = Line::parse(text.as_bytes()).map_err(TestCaseError::fail)?;
        prop_assert_eq!(line.event().unwrap(), fact.event.clone());
        prop_assert_eq!(line.kind(), LineKind::Known(fact.event.kind()));
        prop_assert_eq!(line.event_id().unwrap(), fact.id);
        prop_assert_eq!(
            line.causation_id.map(str::to_owned),
            fact.causation.map(|id| id.to_string())
        );
        prop_assert_eq!(line.event_time().unwrap(), batch.time);
        prop_assert_eq!(line.acting().unwrap(), batch.actor);
        prop_assert_eq!(line.command_id(), batch.command_id.as_str());
        let command_hash = batch
            .command_hash
            .filter(|_| index == 0)
            .map(|hash| hash.to_string());
        prop_assert_eq!(line.command_hash.map(str::to_owned), command_hash);
        prop_assert_eq!(line.sequence, Sequence(index as u64 + 1));
        prop_assert_eq!(line.more, (batch.facts.len() - index - 1) as u64);
        prop_assert_eq!(line.subject, fact.event.subject().to_string());
        prop_assert_eq!(
            line.source,
            format!("/popug/{}", fact.event.context().name())
        );
        prop_assert_eq!(line.computed_hash(&previous), line.hash);
        previous = line.hash;
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_batch_reads_back_as_it_was_written(batch in any_batch()) {
        assert_reads_back(&batch)?;
    }

    #[test]
    fn bytes_that_are_not_a_line_are_refused_and_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(Line::parse(&bytes).is_err());
    }

    #[test]
    fn a_line_with_any_byte_replaced_is_refused_or_breaks_the_chain(
        batch in any_batch(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let text = lines_of(std::slice::from_ref(&batch)).swap_remove(0);
        let mut bytes = text.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(line) = Line::parse(&bytes) {
            prop_assert!(line.text == text || line.computed_hash(&Hash::ZERO) != line.hash);
        }
    }
}

#[test]
fn every_kind_of_event_reads_back_as_it_was_written() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for kind in EventKind::ALL {
        let result = runner.run(&any_event_of(*kind), |event| {
            let data = serde_json::to_string(&event).unwrap();
            let read =
                Event::deserialize_data(*kind, &mut serde_json::Deserializer::from_str(&data));
            prop_assert_eq!(read.unwrap(), event);
            prop_assert!(!data.contains('\n'));
            Ok(())
        });
        result.unwrap_or_else(|error| panic!("{}: {error}", kind.type_name()));
    }
}
