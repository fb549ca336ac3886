//! Vauban's enforcer by itself: its program in a lab, and bans put into it.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use vauban_enforce::backends::{EnforcerKind, build};
use vauban_enforce::program::render;
use vauban_enforce::{Reply, Request, Service};
use vauban_engine::event::Facts;
use vauban_engine::output::{Batch, Block, BlockOp};
use vauban_engine::policy::Unproven;
use vauban_engine::{Policy, Prefix};

use crate::lab::{VICTIM, VICTIM6};
use crate::trouble::{Outcome, Trouble};

/// Bans that are held where many are.
pub const MANY_BANS: u32 = 100_000;

/// Room for them: the default is less.
const ROOM_FOR_BANS: u32 = 200_000;

/// Default policy, but for the room.
fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.kernel.bans = policy.kernel.bans.max(ROOM_FOR_BANS);
    policy
}

fn facts() -> Facts {
    Facts { own: vec![VICTIM.into(), VICTIM6.into()], ..Facts::default() }
}

/// Vauban's program as text, with so many bans in it.
pub fn program(bans: u32) -> String {
    let mut text = render(&policy(), &facts());
    for set in ["banned4", "known4"] {
        fill(&mut text, set, (0..bans).map(banned));
    }
    text
}

/// The same with other suspects than those that are measured, under this policy.
pub fn program_with_suspects(unproven: Unproven, suspects: u32) -> String {
    let mut text = render(&Policy { unproven, ..policy() }, &facts());
    for set in ["suspect4", "known4"] {
        fill(&mut text, set, (0..suspects).map(banned));
    }
    text
}

/// The program as defaults give it, and these addresses as suspects.
pub fn program_with_suspect(suspect: IpAddr) -> String {
    let mut text = render(&policy(), &facts());
    for set in ["suspect4", "known4"] {
        fill(&mut text, set, std::iter::once(suspect));
    }
    text
}

fn fill(program: &mut String, set: &str, addresses: impl Iterator<Item = IpAddr>) {
    let mut addresses = addresses.peekable();
    if addresses.peek().is_some() {
        let _ = writeln!(program, "add element inet vauban {set} {{");
        for address in addresses {
            let _ = writeln!(program, "{address} timeout 1h,");
        }
        program.push_str("}\n");
    }
}

/// The enforcer with its program in the calling thread's namespace, with so many bans. It takes
/// the program away when it goes, which has to be in the same namespace.
pub fn start(bans: u32) -> Outcome<Service> {
    let backend = build(EnforcerKind::Nftables).map_err(|error| Trouble::new(error.to_string()))?;
    let mut service = Service::new(backend);
    done(service.handle(Request::Load(Box::new(policy()), facts())))?;
    if bans > 0 {
        let ops = (0..bans).map(|number| block(banned(number))).collect();
        done(service.handle(Request::Apply(Batch { ops })))?;
    }
    Ok(service)
}

/// The address of a ban: one of 10.0.0.0/8.
pub fn banned(number: u32) -> IpAddr {
    IpAddr::from((0x0a00_0000 | (number & 0x00ff_ffff)).to_be_bytes())
}

/// A block for an hour: none runs out while we measure.
pub fn block(address: IpAddr) -> BlockOp {
    let remaining = Some(Duration::from_secs(3_600));
    BlockOp::Block(Block { subject: Prefix::host(address), remaining })
}

/// Takes an answer that is not `Done` for an error.
pub fn done(reply: Reply) -> Outcome<()> {
    match reply {
        Reply::Done => Ok(()),
        other => Err(Trouble::new(format!("the enforcer answers {other:?}"))),
    }
}
