//! The business rules, proven one by one. A test is named after the rule it proves.

mod time;
