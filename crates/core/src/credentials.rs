use std::fmt;

use percent_encoding::utf8_percent_encode;
use zeroize::Zeroizing;

use crate::Error;
use crate::wire::QUERY;

/// The account's keys. Nothing that prints or serialises shows them, and they are wiped from memory on drop.
///
/// Asking needs the API key alone; submitting needs the access key and the secret key too. Those two are found in the
/// vendor's *My Account > Settings > API and Webhooks* \[docs\]; the API key belongs to the Async API's host of the account's
/// region, under *API Host and Key* on the vendor's page about the Async API \[docs\].
///
/// ```
/// use activity_status::Credentials;
///
/// let keys = Credentials::new("your-api-key")?.with_submit_keys("your-access-key", "your-secret-key")?;
/// assert_eq!(format!("{keys:?}"), r#"Credentials { api_key: "***", submit_keys: true, placement: Headers }"#);
/// # Ok::<(), activity_status::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    api_key: Zeroizing<String>,
    submit_keys: Option<SubmitKeys>,
    placement: KeyPlacement,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SubmitKeys {
    pub(crate) access_key: Zeroizing<String>,
    pub(crate) secret_key: Zeroizing<String>,
}

/// Where a submit carries the access key and the secret key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyPlacement {
    /// As the headers `x-LSQ-AccessKey` and `x-LSQ-SecretKey`: the vendor's recommendation, and the default.
    #[default]
    Headers,
    /// As `accessKey` and `secretKey` in the query string, as the vendor's async pages show it. URLs end in the logs
    /// of whatever stands between: only if headers are not accepted.
    Query,
}

impl Credentials {
    /// The key that every call carries, as the header `x-api-key`.
    ///
    /// # Errors
    /// Kind [`Config`](crate::ErrorKind::Config) for a key that is empty, over 1,024 characters, or holds anything but visible
    /// ASCII characters (a line break from a file, say).
    pub fn new(api_key: &str) -> Result<Self, Error> {
        let api_key = checked("API key", api_key)?;
        Ok(Credentials { api_key, submit_keys: None, placement: KeyPlacement::Headers })
    }

    /// Adds the two keys that a submit needs.
    ///
    /// # Errors
    /// As [`new`](Credentials::new).
    pub fn with_submit_keys(mut self, access_key: &str, secret_key: &str) -> Result<Self, Error> {
        self.submit_keys = Some(SubmitKeys {
            access_key: checked("access key", access_key)?,
            secret_key: checked("secret key", secret_key)?,
        });
        Ok(self)
    }

    /// Chooses where a submit carries its two keys.
    pub fn with_placement(mut self, placement: KeyPlacement) -> Self {
        self.placement = placement;
        self
    }

    pub(crate) fn api_key(&self) -> &str {
        &self.api_key
    }

    pub(crate) fn submit_keys(&self) -> Option<(&SubmitKeys, KeyPlacement)> {
        self.submit_keys.as_ref().map(|keys| (keys, self.placement))
    }

    /// Every secret that a text of ours must not hold.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        let submit = self.submit_keys.iter().flat_map(|k| [k.access_key.as_str(), k.secret_key.as_str()]);
        std::iter::once(self.api_key.as_str()).chain(submit)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("api_key", &"***")
            .field("submit_keys", &self.submit_keys.is_some())
            .field("placement", &self.placement)
            .finish()
    }
}

fn checked(which: &str, key: &str) -> Result<Zeroizing<String>, Error> {
    let problem = if key.is_empty() {
        "is empty"
    } else if key.len() > 1024 {
        "is over 1,024 characters long"
    } else if !key.bytes().all(|b| b.is_ascii_graphic()) {
        "holds a space, a line break or another character that no key has"
    } else {
        return Ok(Zeroizing::new(key.to_owned()));
    };
    Err(Error::config(format!("the {which} {problem}; copy it once more, and nothing with it")))
}

/// The least part of a key that is masked where it stands alone: an echo of a key's beginning gives it half away.
const LEAST_PART: usize = 8;

/// `text` with every key, and every part of one of eight characters or more, replaced by `***`: as it is and as it
/// looks percent-encoded, in HTML or escaped in JSON.
pub(crate) fn mask<'a>(text: &str, secrets: impl Iterator<Item = &'a str>) -> String {
    let spellings: Vec<Zeroizing<String>> = secrets.flat_map(spellings).map(Zeroizing::new).collect();
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let hidden = spellings.iter().map(|key| longest_part_at_start(rest, key)).max().unwrap_or(0);
        if hidden > 0 {
            masked.push_str("***");
            rest = &rest[hidden..];
        } else {
            masked.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    masked
}

/// How many bytes at the start of `text` are a part of `key` that must be hidden; 0 if none. Keys are ASCII.
fn longest_part_at_start(text: &str, key: &str) -> usize {
    let common =
        |part: &str| text.bytes().zip(part.bytes()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
    let longest = (0..key.len()).map(|i| common(&key[i..])).max().unwrap_or(0);
    if longest >= LEAST_PART.min(key.len()) { longest } else { 0 }
}

fn spellings(key: &str) -> Vec<String> {
    let each = |spell: fn(char) -> String| key.chars().map(spell).collect::<String>();
    let percent = utf8_percent_encode(key, QUERY).to_string();
    let html = each(|c| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        '\'' => "&#39;".to_owned(),
        _ => c.to_string(),
    });
    let json = |upper: fn(u32) -> String| {
        key.chars().map(move |c| match c {
            '"' | '\\' | '/' => format!("\\{c}"),
            '&' | '<' | '>' | '\'' | '+' => upper(c as u32),
            _ => c.to_string(),
        })
    };
    let json_lower = json(|code| format!("\\u{code:04x}")).collect();
    let json_upper = json(|code| format!("\\u{code:04X}")).collect();
    let mut all = vec![key.to_owned(), percent, html, json_lower, json_upper];
    all.sort();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(text: &str, keys: &[&str]) -> String {
        mask(text, keys.iter().copied())
    }

    #[test]
    fn refuses_keys_that_cannot_be_keys_without_repeating_them() {
        for bad in ["", "s3cr3t\n", "s3cr3t\r\nx: y", " s3cr3t", "s3cr3té", "s3cr3t\0", &"s3cr3t".repeat(999)]
        {
            let error = Credentials::new(bad).unwrap_err();
            assert!(!format!("{error}{error:?}").contains("s3cr3t"));
        }
    }

    #[test]
    fn debug_and_clone_show_no_key() {
        let keys = Credentials::new("s3cr3t-a").unwrap().with_submit_keys("s3cr3t-b", "s3cr3t-c").unwrap();
        assert!(!format!("{:?}{:#?}", keys, keys.clone()).contains("s3cr3t"));
    }

    #[test]
    fn masks_a_key_however_it_is_spelled() {
        let key = "u$r/k3y&<+>";
        assert_eq!(hidden("bad key u$r/k3y&<+> given", &[key]), "bad key *** given");
        assert_eq!(hidden("?accessKey=u%24r%2Fk3y%26%3C%2B%3E&x", &[key]), "?accessKey=***&x");
        assert_eq!(hidden("<b>u$r/k3y&amp;&lt;+&gt;</b>", &[key]), "<b>***</b>");
        assert_eq!(hidden(r#""u$r\/k3y\u0026\u003c\u002b\u003e""#, &[key]), r#""***""#);
        assert_eq!(hidden(r#""u$r\/k3y\u0026\u003C\u002B\u003E""#, &[key]), r#""***""#);
    }

    #[test]
    fn masks_parts_of_a_key_and_leaves_the_rest() {
        assert_eq!(hidden("starts abcdefghij...", &["abcdefghijklmnop"]), "starts ***...");
        assert_eq!(hidden("ends ...jklmnopq.", &["abcdefghijklmnopq"]), "ends ...***.");
        assert_eq!(hidden("abcdefg é", &["abcdefghijklmnop"]), "abcdefg é");
        assert_eq!(hidden("a key k1 is K1", &["k1"]), "a key *** is ***");
        assert_eq!(hidden("longlong", &["long", "longlong"]), "***");
    }
}
