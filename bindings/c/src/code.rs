//! How a function ended, as a number and as a word.

use std::ffi::CStr;

use crate::guard;
use crate::text::astat_str;

/// How a function ended: ASTAT_OK, or one of ASTAT_E_*, all of them positive. A number is never used for anything else
/// later. More may be added: treat one that you do not know as a failure, and ask astat_error_resend what it means
/// for you.
pub type astat_code = i32;

/// It did what was asked. A job that failed is an answer too: see astat_status_outcome.
pub const ASTAT_OK: astat_code = 0;

/// Bad input or settings. Nothing was sent.
pub const ASTAT_E_CONFIG: astat_code = 1101;
/// A pointer that must not be NULL is, a text is not UTF-8, a number is none of those that it may be, or two threads use
/// a handle that is for one at a time. Nothing was sent.
pub const ASTAT_E_ARGUMENT: astat_code = 1102;
/// A function of a plug-in called one that blocks on a client, or that drives one. Nothing was sent.
pub const ASTAT_E_REENTRANT: astat_code = 1103;

/// No connection, or it broke.
pub const ASTAT_E_TRANSPORT: astat_code = 1201;
/// No answer within the time-out.
pub const ASTAT_E_TIMED_OUT: astat_code = 1202;
/// What came is not an answer: HTML, cut off, too large, a redirect, or about another job.
pub const ASTAT_E_MALFORMED: astat_code = 1203;
/// A submit was sent and its answer was lost: the job may exist, or not. Look in the CRM before you send it again.
pub const ASTAT_E_IN_DOUBT: astat_code = 1204;

/// 401 or 403: the keys were not accepted. A key of another region is refused like a wrong one.
pub const ASTAT_E_UNAUTHORIZED: astat_code = 1301;
/// 400, or another 4xx that is not listed: the vendor did not accept the request.
pub const ASTAT_E_BAD_REQUEST: astat_code = 1302;
/// 404: the path, or the job, does not exist.
pub const ASTAT_E_NOT_FOUND: astat_code = 1303;
/// 429: more calls than the quota, by this program or another one with the same key.
pub const ASTAT_E_REFUSED: astat_code = 1304;
/// 5xx: the vendor failed.
pub const ASTAT_E_SERVER: astat_code = 1305;

/// The limiter could not tell whether a call may be sent, so it was not.
pub const ASTAT_E_LIMITER: astat_code = 1401;
/// The ledger could not be written, so nothing was sent.
pub const ASTAT_E_LEDGER: astat_code = 1402;

/// The deadline passed first.
pub const ASTAT_E_DEADLINE: astat_code = 1501;
/// The wait was cut short: cancelled, or interrupted by its clock.
pub const ASTAT_E_INTERRUPTED: astat_code = 1502;

/// A bug in the library, caught at its border. Whether anything was sent is not known. The client stays usable.
pub const ASTAT_E_PANIC: astat_code = 1901;

/// A code as one lower-case word, the same in every language: "in_doubt" for ASTAT_E_IN_DOUBT, "ok" for ASTAT_OK.
/// No text for a number that is no code. It lives as long as the program.
#[unsafe(no_mangle)]
pub extern "C" fn astat_code_name(code: astat_code) -> astat_str {
    guard::quiet(astat_str::NONE, || {
        let known = CODES.iter().find(|(known, _)| *known == code);
        known.map_or(astat_str::NONE, |(_, word)| (*word).into())
    })
}

/// The code with this word.
pub(crate) fn named(word: &str) -> Option<astat_code> {
    CODES.iter().find(|(_, known)| known.to_bytes() == word.as_bytes()).map(|(code, _)| *code)
}

const CODES: &[(astat_code, &CStr)] = &[
    (ASTAT_OK, c"ok"),
    (ASTAT_E_CONFIG, c"config"),
    (ASTAT_E_ARGUMENT, c"argument"),
    (ASTAT_E_REENTRANT, c"reentrant"),
    (ASTAT_E_TRANSPORT, c"transport"),
    (ASTAT_E_TIMED_OUT, c"timed_out"),
    (ASTAT_E_MALFORMED, c"malformed"),
    (ASTAT_E_IN_DOUBT, c"in_doubt"),
    (ASTAT_E_UNAUTHORIZED, c"unauthorized"),
    (ASTAT_E_BAD_REQUEST, c"bad_request"),
    (ASTAT_E_NOT_FOUND, c"not_found"),
    (ASTAT_E_REFUSED, c"refused"),
    (ASTAT_E_SERVER, c"server"),
    (ASTAT_E_LIMITER, c"limiter"),
    (ASTAT_E_LEDGER, c"ledger"),
    (ASTAT_E_DEADLINE, c"deadline"),
    (ASTAT_E_INTERRUPTED, c"interrupted"),
    (ASTAT_E_PANIC, c"panic"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use activity_status::ErrorKind;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn every_kind_has_a_code_of_its_name() {
        let source = include_str!("code.rs");
        let constants: BTreeMap<String, astat_code> = source
            .lines()
            .filter_map(|line| line.strip_prefix("pub const ASTAT_E_")?.split_once(": astat_code = "))
            .map(|(name, code)| (name.to_lowercase(), code.trim_end_matches(';').parse().unwrap()))
            .collect();
        let words: BTreeMap<String, astat_code> =
            CODES[1..].iter().map(|(code, word)| (word.to_str().unwrap().to_owned(), *code)).collect();
        assert_eq!(constants, words);
        let kinds = ErrorKind::ALL.iter().map(|kind| kind.as_str().to_owned());
        let ours = ["argument", "reentrant", "panic"].map(str::to_owned);
        assert_eq!(words.into_keys().collect::<BTreeSet<_>>(), kinds.chain(ours).collect());
    }

    #[test]
    fn codes_are_positive_and_distinct() {
        let codes: BTreeSet<astat_code> = CODES.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes.len(), CODES.len());
        assert_eq!(codes.first(), Some(&ASTAT_OK));
    }
}
