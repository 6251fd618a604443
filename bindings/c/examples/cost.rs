//! The same calls as `cost.c`, so that `cargo xtask bench c` can count what the C library adds to one: BASE_URL ID CALLS

use std::error::Error;

use activity_status::{Operation, RequestId, Settings};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [url, id, calls] = &words[..] else { return Err("usage: cost BASE_URL ID CALLS".into()) };
    let calls: u32 = calls.parse()?;
    let mut settings = Settings::new();
    for (key, value) in [("base_url", url.as_str()), ("quota", "1000/5s"), ("api_key", "sandbox-api-key")] {
        settings.set(key, value)?;
    }
    let client = activity_status_backends::builder(&settings)?.build()?;
    for _ in 0..calls {
        let id = RequestId::new(id.as_str())?;
        let status = client.status(&Operation::ACTIVITY_CREATE, &id)?;
        if status.request_id() != &id {
            return Err("an answer to another question".into());
        }
    }
    Ok(())
}
