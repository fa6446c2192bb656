//! Parses the output of `strace`.

use std::collections::BTreeMap;

/// Whole calls in the order in which they ended; the parts of an interrupted call are joined.
pub fn calls(trace: &str) -> Vec<String> {
    let mut begun: BTreeMap<&str, &str> = BTreeMap::new();
    let mut whole = Vec::new();
    for line in trace.lines() {
        let (thread, call) = line.split_once(' ').expect("a thread and a call");
        let call = call.trim_start();
        if let Some(first) = call.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, first);
        } else if call.starts_with("<... ") {
            let rest = call.split_once("resumed>").expect("the rest").1;
            whole.push(format!(
                "{}{rest}",
                begun.remove(thread).expect("its beginning")
            ));
        } else if !call.starts_with(['-', '+']) {
            whole.push(call.to_owned());
        }
    }
    whole.retain(|call| !call.contains(" = -1 "));
    whole
}
