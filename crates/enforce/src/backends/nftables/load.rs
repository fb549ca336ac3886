//! The program's way into the kernel, as text, through `nft`.

use std::io::{ErrorKind, Write as _};
use std::process::{Command, Stdio};

use crate::backends::Trouble;

/// Gives `nft` a program on its standard input.
pub(super) fn run_nft(program: &str) -> Result<(), Trouble> {
    let failed = |text: String| Err(Trouble::Failed(text));
    let spawned = Command::new("nft")
        .args(["-f", "-"])
        // Where nft lives, whatever environment we were started from.
        .env("PATH", "/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return failed("the program nft is missing; install it: apt install nftables".into());
        }
        Err(error) => return failed(format!("cannot start nft: {error}")),
    };
    if let Some(mut stdin) = child.stdin.take()
        && let Err(error) = stdin.write_all(program.as_bytes())
        && error.kind() != ErrorKind::BrokenPipe
    {
        return failed(format!("cannot write to nft: {error}"));
    }
    match child.wait_with_output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            failed(format!("nft refused the program: {}", text.trim()))
        }
        Err(error) => failed(format!("nft did not end: {error}")),
    }
}
