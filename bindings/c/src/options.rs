//! Structs of options that can grow: they begin with their own size, and members are only ever added at the end.

use std::mem::{MaybeUninit, size_of};

use crate::error::Failure;

/// A struct of options as C gives it.
///
/// # Safety
/// It is `repr(C)`, begins with `struct_size: usize`, and any bytes make a valid one.
pub(crate) unsafe trait Options: Copy {
    /// Its name in the header.
    const NAME: &'static str;
    /// Where each member after the size ends.
    const ENDS: &'static [usize];
    /// What each member is if the caller does not give it.
    const DEFAULT: Self;
}

/// More than any version will ever have: a size beyond was never set.
const LARGEST: usize = 4096;

/// Reads options that an older or newer header may have laid out: what an older one does not know has its default,
/// what a newer one knows and we do not must be zero.
///
/// # Safety
/// `options` is NULL, or points to as many bytes as its first member says.
pub(crate) unsafe fn read<T: Options>(options: *const T) -> Result<T, Failure> {
    if options.is_null() {
        return Ok(T::DEFAULT);
    }
    // SAFETY: the size is its first member.
    let size = unsafe { options.cast::<usize>().read() };
    let wrong = |what: &str| Err(Failure::argument(&format!("{}: struct_size is {size}{what}", T::NAME)));
    let known = T::ENDS.iter().copied().filter(|end| *end <= size).max();
    let Some(known) = known.filter(|_| size <= LARGEST) else {
        return wrong("; begin with its _INIT macro");
    };
    let mut read = MaybeUninit::new(T::DEFAULT);
    // SAFETY: `known` is at most the size of either, and any bytes are valid.
    let read = unsafe {
        std::ptr::copy_nonoverlapping(options.cast::<u8>(), read.as_mut_ptr().cast::<u8>(), known);
        read.assume_init()
    };
    for at in size_of::<T>()..size {
        // SAFETY: the caller says that there are `size` bytes.
        if unsafe { options.cast::<u8>().add(at).read() } != 0 {
            return wrong(": it asks for something that this version of the library does not have");
        }
    }
    Ok(read)
}

/// Does the struct say that it is at least this long, and no longer than any will be?
///
/// # Safety
/// `options` points to its size.
pub(crate) unsafe fn reaches<T: Options>(options: *const T, end: usize) -> bool {
    // SAFETY: the size is its first member.
    (end..=LARGEST).contains(&unsafe { options.cast::<usize>().read() })
}

/// Checks a struct that is to be filled before anything is done for it; [`fill`] then cannot fail.
///
/// # Safety
/// `out` is NULL, or points to as many bytes as its first member says.
pub(crate) unsafe fn room<T: Options>(out: *const T) -> Result<(), Failure> {
    if out.is_null() {
        return Err(Failure::argument("out is NULL"));
    }
    // SAFETY: the caller's promise is ours.
    if unsafe { reaches(out, T::ENDS[0]) } {
        return Ok(());
    }
    Err(Failure::argument(&format!("{}: struct_size was not set; begin with its _INIT macro", T::NAME)))
}

/// Fills the members that the caller's header knows; those that only a newer one knows stay as they are.
///
/// # Safety
/// `out` has [`room`] and may be written.
pub(crate) unsafe fn fill<T: Options>(out: *mut T, with: &T) {
    let size = size_of::<usize>();
    // SAFETY: the size is its first member.
    let given = unsafe { out.cast::<usize>().read() };
    let known = T::ENDS.iter().copied().filter(|end| *end <= given).max().unwrap_or(size);
    // SAFETY: `known` is at most the size of either, and the caller keeps its own size.
    unsafe {
        let from = std::ptr::from_ref(with).cast::<u8>().add(size);
        std::ptr::copy_nonoverlapping(from, out.cast::<u8>().add(size), known - size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{ASTAT_NS_NONE, ASTAT_ORDER_SUBMITTED, astat_wait_options};

    #[test]
    fn old_and_new_callers_are_understood() {
        let ends = astat_wait_options::ENDS;
        let whole = size_of::<astat_wait_options>();
        let mut words = [u64::from(u32::MAX); 10];
        let mut read = |size: usize, last: u64| {
            words[0] = size as u64;
            words[9] = last;
            // SAFETY: there are 80 bytes, and no size that is read to its end is larger.
            unsafe { super::read(words.as_ptr().cast::<astat_wait_options>()) }
        };
        let set = u64::from(u32::MAX);
        let old = read(ends[0], 0).ok().unwrap();
        assert_eq!(
            (old.deadline_ns, old.price_ns, old.order, old.reserved),
            (set, ASTAT_NS_NONE, ASTAT_ORDER_SUBMITTED, 0)
        );
        for cut in [ends[2], ends[2] + 1, whole - 1] {
            assert!(read(cut, 0).ok().unwrap().cancel.is_null());
        }
        for cut in [ends[1], ends[1] + 1, ends[2] - 1] {
            let cut = read(cut, 0).ok().unwrap();
            assert_eq!((cut.price_ns, cut.order), (set, ASTAT_ORDER_SUBMITTED));
        }
        let known = read(whole, 1).ok().unwrap();
        assert_ne!(known.order + known.reserved, ASTAT_ORDER_SUBMITTED);
        assert!(read(80, 0).is_err(), "the members after the known ones are not zero");
        for never_set in [0, 1, size_of::<usize>(), LARGEST + 1, usize::MAX] {
            assert!(read(never_set, 0).is_err(), "{never_set}");
        }
        let mut new = [0u64; 10];
        new[0] = 80;
        // SAFETY: there are 80 bytes.
        assert!(unsafe { super::read(new.as_ptr().cast::<astat_wait_options>()) }.is_ok());
        new[9] = 1 << 56;
        // SAFETY: there are 80 bytes.
        assert!(unsafe { super::read(new.as_ptr().cast::<astat_wait_options>()) }.is_err());
    }
}
