//! What all plug-ins have in common: a table of functions, the context that they are called with, and where they say
//! why they failed.

use std::cell::Cell;
use std::ffi::c_void;
use std::mem::size_of;

use crate::code::astat_code;
use crate::config::astat_config;
use crate::error::{Failure, astat_error};
use crate::options::{self, Options};
use crate::text::astat_str;
use crate::{guard, handle};

/// Where a function of a plug-in says why it failed: see astat_trouble_say. It lasts as long as that one call.
#[derive(Default)]
pub struct astat_trouble {
    said: Option<String>,
}

/// Says why a function of a plug-in failed: a sentence without a full stop, for people. It becomes part of the
/// message of the caller's error, with the keys of the call masked if there is a call that has some. The text is copied as one line of a thousand
/// characters at the most, and what in it is not UTF-8 is replaced; a later one replaces it. Only the thread that the function was called in may use trouble, and not after it
/// has returned. NULL is nothing to do.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_trouble_say(trouble: *mut astat_trouble, message: astat_str) {
    // SAFETY: the caller lends a trouble that is alive to one thread, and a text.
    guard::quiet((), || unsafe {
        let Some(trouble) = trouble.as_mut() else { return };
        let message = message.read_phrase();
        trouble.said = (!message.is_empty()).then_some(message);
    });
}

impl astat_trouble {
    /// What was said, or that nothing was.
    pub(crate) fn said_by(self, function: &str, answer: i32) -> String {
        self.said.unwrap_or_else(|| format!("{function} returned {answer} and did not say why"))
    }
}

/// A table of functions that a program gives.
///
/// # Safety
/// As [`Options`], and its second member is `destroy`, as in [`Head`].
pub(crate) unsafe trait Table: Options {
    /// The first function that is required and not there.
    fn missing(&self) -> Option<&'static str>;
}

type Destroy = Option<unsafe extern "C" fn(*mut c_void)>;

/// What every table begins with.
#[repr(C)]
struct Head {
    struct_size: usize,
    destroy: Destroy,
}

/// A part of the program's, as the core sees it.
pub(crate) struct Plug<T> {
    pub(crate) ops: T,
    context: Context,
}

impl<T: Table> Plug<T> {
    /// Takes the context over: whatever fails, it is destroyed once.
    ///
    /// # Safety
    /// `ops` is NULL or points to as many bytes as its first member says, and its functions keep the header's promises.
    pub(crate) unsafe fn new(ops: *const T, context: *mut c_void) -> Result<Self, Failure> {
        if ops.is_null() {
            return Err(Failure::argument("ops is NULL: there are no functions"));
        }
        // SAFETY: the caller's promise is ours; `destroy` is read only if the struct reaches that far.
        let (context, ops) = unsafe {
            let there = options::reaches(ops, size_of::<Head>());
            let destroy = if there { (&raw const (*ops.cast::<Head>()).destroy).read() } else { None };
            (Context { it: context, destroy }, options::read(ops)?)
        };
        match ops.missing() {
            Some(name) => Err(Failure::argument(&format!("{}: {name} is NULL", T::NAME))),
            None => Ok(Plug { ops, context }),
        }
    }

    /// Calls one of the functions.
    pub(crate) fn call<R>(&self, function: impl FnOnce(*mut c_void) -> R) -> R {
        inside(|| function(self.context.get()))
    }
}

/// Gives a configuration one of the program's parts.
///
/// # Safety
/// As [`Plug::new`]; `config` is NULL or nobody else uses it; `err` is NULL or may be written.
pub(crate) unsafe fn set<T: Table, R>(
    config: *mut astat_config,
    ops: *const T,
    context: *mut c_void,
    err: *mut *mut astat_error,
    put: impl FnOnce(&mut astat_config, Plug<T>) -> R,
) -> astat_code {
    // SAFETY: the caller's promise is ours.
    unsafe {
        guard::change(err, || {
            let plug = Plug::new(ops, context)?;
            // What was there before is dropped here, and may call the program.
            drop(put(handle::lend_mut(config, "config")?, plug));
            Ok(())
        })
    }
}

/// Fails while the calling thread runs a function of a plug-in: it would wait for itself.
pub(crate) fn outside() -> Result<(), Failure> {
    if INSIDE.get() { Err(Failure::reentrant()) } else { Ok(()) }
}

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

fn inside<R>(work: impl FnOnce() -> R) -> R {
    let before = INSIDE.replace(true);
    let result = work();
    INSIDE.set(before);
    result
}

/// What the program's functions are called with.
pub(crate) struct Context {
    it: *mut c_void,
    destroy: Destroy,
}

// SAFETY: the header says that any thread may call the functions that get it, and that any may be the last.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

impl Context {
    /// One that the program ends itself.
    pub(crate) fn lent(it: *mut c_void) -> Self {
        Context { it, destroy: None }
    }

    /// A function, so that closures hold all of the context, which may go to other threads, and not its pointer
    /// alone.
    pub(crate) fn get(&self) -> *mut c_void {
        self.it
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            // SAFETY: nothing else has the context any more, and this is the only place that destroys it.
            inside(|| unsafe { destroy(self.it) });
        }
    }
}
