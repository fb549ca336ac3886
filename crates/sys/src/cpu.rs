//! Which processor a thread runs on, for measurements that should not wander.
//!
//! What it does not do: priorities, or memory placement.

use std::io;

use crate::socket;

/// Keeps the calling thread, and threads it starts from now on, on one processor, counted from 0.
///
/// # Errors
/// `EINVAL`: there is no such processor, or this process may not use it (`sched_setaffinity(2)`).
pub fn pin_to_cpu(cpu: usize) -> io::Result<()> {
    // CPU_SET would write beyond its argument (or panic, in libc's rendering).
    if cpu >= usize::try_from(libc::CPU_SETSIZE).unwrap_or(0) {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    // SAFETY: `cpu_set_t` is an array of integers, for which all bits zero is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `cpu` was just checked to have a bit in the set.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: the pointer and the length describe `set`, which lives through the call.
    socket::checked(unsafe {
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set)
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_thread_may_use_one_processor() {
        std::thread::spawn(|| {
            pin_to_cpu(0).unwrap();
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            assert!(status.contains("Cpus_allowed_list:\t0\n"), "{status}");
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_processor_that_is_not_there_is_an_error() {
        for cpu in [1023, 1024, usize::MAX] {
            assert_eq!(pin_to_cpu(cpu).unwrap_err().raw_os_error(), Some(libc::EINVAL));
        }
    }
}
