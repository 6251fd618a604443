//! Keys that a program gives when they are needed.

use std::ffi::c_void;
use std::mem::{offset_of, size_of};
use std::sync::Arc;

use activity_status::plugin::{CredentialsError, CredentialsProvider};
use activity_status::{Credentials, KeyPlacement, Settings};
use zeroize::Zeroizing;

use crate::code::{ASTAT_OK, astat_code};
use crate::config::astat_config;
use crate::error::{Failure, astat_error};
use crate::guard;
use crate::options::Options;
use crate::plug::{self, Plug, Table, astat_trouble};
use crate::text::astat_str;

/// Where a program puts the keys that it is asked for: see astat_credentials_set. It lasts as long as that one call.
#[derive(Default)]
pub struct astat_credentials {
    /// API key, access key, secret key.
    keys: [Option<Zeroizing<String>>; 3],
}

/// Where the keys come from, if they may change while the program runs: a vault, a file that is rotated. Begin with
/// ASTAT_CREDENTIALS_OPS_INIT.
///
/// Any thread may call any of these functions at any time, several at once. The library holds no lock while it calls
/// one. They must return: no longjmp, no C++ exception. They must not call a function that blocks on a client: it fails
/// with ASTAT_E_REENTRANT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct astat_credentials_ops {
    /// sizeof(astat_credentials_ops): tells the library which members the program knows.
    pub struct_size: usize,
    /// Ends the context: called once, when nothing uses it any more, by whichever thread is the last. NULL: nothing
    /// to do.
    pub destroy: Option<unsafe extern "C" fn(context: *mut c_void)>,
    /// Gives the keys for a call that is about to be made, by astat_credentials_set, and returns ASTAT_OK. Required. It
    /// is asked for each call, so keep what you have fetched.
    ///
    /// After anything else the call is not sent and fails with ASTAT_E_CONFIG, with the reason that astat_trouble_say was
    /// given, as it is: it must hold no key.
    pub get: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            out: *mut astat_credentials,
            trouble: *mut astat_trouble,
        ) -> i32,
    >,
    /// The vendor did not accept the present keys: http_status is 401 or 403. If get gives others after this, the call
    /// goes out once more with them. NULL: nothing to do.
    pub refused: Option<unsafe extern "C" fn(context: *mut c_void, http_status: i32)>,
}

/// Gives the keys, inside get of an astat_credentials_ops. They are copied, and wiped from memory when they are no
/// longer needed. access_key and secret_key may be {NULL, 0}: then nothing can be submitted. NULL for out is nothing to
/// do.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_credentials_set(
    out: *mut astat_credentials,
    api_key: astat_str,
    access_key: astat_str,
    secret_key: astat_str,
) {
    // SAFETY: the caller lends what it was given to one thread, and texts.
    guard::quiet((), || unsafe {
        let Some(out) = out.as_mut() else { return };
        // A text that is not UTF-8 becomes one that no key can be, and is refused as such.
        let key = |text: astat_str| (!text.ptr.is_null()).then(|| Zeroizing::new(text.read_lossy()));
        out.keys = [key(api_key), key(access_key), key(secret_key)];
    });
}

/// Gives the clients of a configuration keys from a source of your own, in place of astat_config_set_keys. A later one
/// replaces it.
///
/// The functions are copied. The context is the library's from now on: destroy is called once, when the configuration,
/// all of its clients and their waits are freed or have another source and the last call is over, and at once if this
/// function fails. Only where there is no destroy to be read, because ops is NULL or its struct_size was never set, is
/// it not called.
///
/// ASTAT_E_ARGUMENT for an ops that is NULL or lacks get. With keys besides, astat_client_new fails with
/// ASTAT_E_CONFIG; it asks for keys itself, once.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_config_set_credentials(
    config: *mut astat_config,
    ops: *const astat_credentials_ops,
    context: *mut c_void,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles and structs.
    unsafe { plug::set(config, ops, context, err, |config, plug| config.credentials.replace(Arc::new(plug))) }
}

pub(crate) type Plugged = Plug<astat_credentials_ops>;

impl Plugged {
    fn keys(&self) -> Result<astat_credentials, String> {
        let (mut out, mut trouble) = (astat_credentials::default(), astat_trouble::default());
        let get = self.ops.get.expect("it is required");
        // SAFETY: the program says that its functions may be called so.
        match self.call(|context| unsafe { get(context, &mut out, &mut trouble) }) {
            ASTAT_OK if out.keys[0].is_none() => {
                Err("get of the program's credentials gave no API key".to_owned())
            }
            ASTAT_OK => Ok(out),
            answer => Err(trouble.said_by("get of the program's credentials", answer)),
        }
    }

    /// The settings with the present keys, for those parts that want to know them from the beginning.
    pub(crate) fn settings(&self, settings: &Settings) -> Result<Settings, Failure> {
        let (mut settings, names) = (settings.clone(), ["api_key", "access_key", "secret_key"]);
        if names.iter().any(|name| settings.get(name).is_some()) {
            return Err(Failure::config("both keys and a source of keys are given; give one of them"));
        }
        let out = self.keys().map_err(|said| Failure::config(&format!("there are no keys: {said}")))?;
        for (name, key) in names.iter().zip(&out.keys) {
            if let Some(key) = key {
                settings.set(name, key)?;
            }
        }
        Ok(settings)
    }
}

/// The program's source of keys, as the core sees it.
pub(crate) struct Provider {
    pub(crate) plug: Arc<Plugged>,
    pub(crate) placement: KeyPlacement,
}

impl CredentialsProvider for Provider {
    fn credentials(&self) -> Result<Arc<Credentials>, CredentialsError> {
        let trouble = |message: String| CredentialsError { message, source: None };
        let [api_key, access_key, secret_key] = self.plug.keys().map_err(trouble)?.keys;
        let [api_key, access_key, secret_key] =
            [&api_key, &access_key, &secret_key].map(|key| key.as_ref().map(|key| key.as_str()));
        let keys =
            Credentials::new(api_key.unwrap_or_default()).and_then(|keys| match (access_key, secret_key) {
                (None, None) => Ok(keys),
                (access, secret) => {
                    keys.with_submit_keys(access.unwrap_or_default(), secret.unwrap_or_default())
                }
            });
        let keys = keys.map_err(|error| trouble(error.message().to_owned()))?;
        Ok(Arc::new(keys.with_placement(self.placement)))
    }

    fn refused(&self, http_status: u16) {
        if let Some(refused) = self.plug.ops.refused {
            // SAFETY: the program says that its functions may be called so.
            self.plug.call(|context| unsafe { refused(context, http_status.into()) });
        }
    }
}

// SAFETY: `repr(C)`, the size first, and all else pointers, of which any may be NULL.
unsafe impl Options for astat_credentials_ops {
    const NAME: &'static str = "astat_credentials_ops";
    const ENDS: &'static [usize] = &[offset_of!(Self, refused), size_of::<Self>()];
    const DEFAULT: Self =
        astat_credentials_ops { struct_size: size_of::<Self>(), destroy: None, get: None, refused: None };
}

// SAFETY: its second member is `destroy`.
unsafe impl Table for astat_credentials_ops {
    fn missing(&self) -> Option<&'static str> {
        self.get.is_none().then_some("get")
    }
}
