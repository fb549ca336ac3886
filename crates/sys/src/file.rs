//! Flags of open(2) that the standard library has no name for.
//!
//! What it does not do: open files.

/// Follows no symbolic link in the last part of a path (`O_NOFOLLOW`) and waits for nobody at the
/// other end of a pipe (`O_NONBLOCK`): for files in a directory where somebody else may have put
/// anything.
pub const PLAIN: i32 = libc::O_NOFOLLOW | libc::O_NONBLOCK;
