//! What the shared library exports.

use std::collections::BTreeSet;

use super::declarations::Declarations;
use crate::run::{Step, target};

/// The functions of the header are exported, and nothing else.
pub(crate) fn check(header: &str) -> Result<(), String> {
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    let declared = Declarations::of(header)?;
    let declared: BTreeSet<&str> = declared.functions.iter().map(|it| it.name.as_str()).collect();
    let names = Step::new("nm").args(["-D", "--defined-only", "--format=just-symbols"]);
    let names = names.args([target().join("debug/libactivity_status.so")]).into_command().output();
    let names = names.map_err(|error| format!("nm: {error}"))?;
    let exported = String::from_utf8_lossy(&names.stdout).into_owned();
    let exported: BTreeSet<&str> = exported.lines().map(str::trim).collect();
    let only = |some: &BTreeSet<&str>, others: &BTreeSet<&str>| {
        some.difference(others).copied().collect::<Vec<_>>().join(", ")
    };
    if exported == declared {
        return Ok(());
    }
    Err(format!(
        "only exported: {}; only declared: {}",
        only(&exported, &declared),
        only(&declared, &exported)
    ))
}
