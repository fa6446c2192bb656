//! Values of the members of events.

use super::*;

pub(super) fn line_of_text(chars_max: usize) -> impl Strategy<Value = String> {
    let special = select(vec![
        '"', '\\', '\t', '\u{1}', '\u{202e}', 'ж', 'É', '🦜', '}', ',',
    ]);
    let character = prop_oneof![
        special,
        proptest::char::range('a', 'z'),
        proptest::char::range('А', 'я')
    ];
    prop::collection::vec(character, 1..=chars_max.min(60)).prop_map(String::from_iter)
}

pub(super) fn address() -> impl Strategy<Value = String> {
    "[a-zа-я0-9.+-]{1,20}@[a-z0-9-]{1,12}\\.example"
}

pub(super) fn uuid() -> impl Strategy<Value = uuid::Uuid> {
    any::<[u8; 16]>().prop_map(|bytes| uuid::Builder::from_random_bytes(bytes).into_uuid())
}

pub(super) fn user() -> impl Strategy<Value = UserId> {
    uuid().prop_map(UserId::from_uuid)
}

pub(super) fn task() -> impl Strategy<Value = TaskId> {
    uuid().prop_map(TaskId::from_uuid)
}

pub(super) fn payout() -> impl Strategy<Value = PayoutId> {
    uuid().prop_map(PayoutId::from_uuid)
}

pub(super) fn entry() -> impl Strategy<Value = EntryId> {
    uuid().prop_map(EntryId::from_uuid)
}

pub(super) fn role() -> impl Strategy<Value = Role> {
    select(&Role::ALL[..])
}

pub(super) fn jira_id() -> impl Strategy<Value = String> {
    "[A-Z][A-Z0-9]{0,5}-[0-9]{1,6}"
}

pub(super) fn count() -> impl Strategy<Value = u64> {
    prop_oneof![0..100_u64, 0..=bounds::COUNT_MAX]
}

pub(super) fn number() -> impl Strategy<Value = u64> {
    1..=bounds::COUNT_MAX
}

pub(super) fn ordinal() -> impl Strategy<Value = u32> {
    1..=bounds::ORDINAL_MAX
}

pub(super) fn sequence() -> impl Strategy<Value = Sequence> {
    (1..=Sequence::MAX.0).prop_map(Sequence)
}

pub(super) fn signed() -> impl Strategy<Value = Money> {
    (-bounds::MINOR_MAX..=bounds::MINOR_MAX).prop_map(Money::from_minor)
}

pub(super) fn positive() -> impl Strategy<Value = Money> {
    (1..=bounds::MINOR_MAX).prop_map(Money::from_minor)
}

pub(super) fn not_negative() -> impl Strategy<Value = Money> {
    (0..=bounds::MINOR_MAX).prop_map(Money::from_minor)
}

pub(super) fn ordered() -> impl Strategy<Value = (Money, Money)> {
    (not_negative(), not_negative()).prop_map(|(one, other)| (one.min(other), one.max(other)))
}

/// In the years 1970 to 9998.
pub(super) fn moment() -> impl Strategy<Value = EventTime> {
    (0..bounds::END_MICROS).prop_map(|micros| EventTime::from_micros(micros).expect("in range"))
}

pub(super) fn date() -> impl Strategy<Value = BusinessDate> {
    (bounds::DATES.start().epoch_days()..=bounds::DATES.end().epoch_days())
        .prop_map(BusinessDate::from_epoch_days)
}
