//! Asks the processor to fetch memory before it is needed.

#![expect(unsafe_code, reason = "the instruction takes a pointer")]

/// Has the line of the cache in which `thing` begins fetched, while the processor goes on with other work. Only a hint: it has no
/// effect but on time.
#[inline]
pub fn prefetch<T>(thing: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is part of every x86-64 processor, and a prefetch never faults.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(thing).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = thing;
}
