//! Scans in the name of others: nobody is banned for them, nobody is kept from what is served, and
//! two hosts that both play decoys do not talk to each other for ever.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::daemon::{PROGRAM, Vauban, verb_at};
use crate::decoys::{
    ACK, FIN, PSH, RST, SYN, Segment, Tap, assert_is_suspect, judged, proven, send_from, shake,
};
use crate::lab::{
    AT_CLIENT, CLIENT, Lab, Reached, SCANNER, SCANNER_MAC, SILENCE, VICTIM, VICTIM_MAC,
};
use crate::process::{Running, wait_until};
use crate::services::{PAGE, Services, answers, read_page};

/// SYNs to many ports in somebody's name, from the scanner's link.
fn forge(lab: &Lab, name: IpAddr, first_port: u16, count: u32) {
    let line =
        format!("hping3 -n -q -S --spoof {name} -p ++{first_port} -c {count} -i u3000 {VICTIM}");
    lab.run("scanner", &line);
}

#[test]
#[ignore = "needs root"]
fn a_stranger_whose_address_is_forged_is_served_and_never_banned() {
    let lab = Lab::trio();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    let before = lab.connect("client", AT_CLIENT, 80).unwrap();
    forge(&lab, CLIENT, 101, 200);
    vauban.settle();
    assert_is_suspect(&vauban, CLIENT);
    assert_eq!(proven(&vauban, CLIENT), [""; 0]);
    assert!(answers(&before, SILENCE), "what was there before");
    // At once, not after a SYN's retry.
    for _ in 0..20 {
        let started = Instant::now();
        let call = lab.connect("client", AT_CLIENT, 80).unwrap();
        assert!(read_page(&call).unwrap().ends_with(PAGE));
        assert!(started.elapsed() < SILENCE / 2, "{:?}", started.elapsed());
    }
    // Two mistakes of its own.
    let _calls = shake(&lab, "client", AT_CLIENT, &[7001, 7002]);
    judged();
    assert_is_suspect(&vauban, CLIENT);
    assert_eq!(proven(&vauban, CLIENT), ["tcp/7001", "tcp/7002"]);
    // The forger goes on.
    forge(&lab, CLIENT, 501, 100);
    vauban.settle();
    assert_is_suspect(&vauban, CLIENT);
    assert_eq!(lab.reach("client", AT_CLIENT, 80), Reached::Open);
    assert_eq!(vauban.bans(), [""; 0]);
}

#[test]
#[ignore = "needs root"]
fn a_gateway_whose_address_is_forged_is_no_suspect() {
    let lab = Lab::pair();
    let gateway: IpAddr = "192.0.2.254".parse().unwrap();
    lab.ip("scanner", "addr add 192.0.2.254/24 dev eth0");
    lab.ip("victim", "route add default via 192.0.2.254");
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    for first_port in [101, 23] {
        forge(&lab, gateway, first_port, 100);
    }
    vauban.settle();
    assert_eq!(vauban.state(gateway), "never-banned");
    assert_eq!(vauban.bans(), [""; 0]);
    assert!(!lab.knows(gateway), "the kernel has noted it");
    let fetch = format!("curl -sS --max-time 1 --interface {gateway} http://{VICTIM}/");
    assert_eq!(lab.run("scanner", &fetch).success(), PAGE);
    assert_eq!(vauban.json("status")["decoys"]["told"], 0);
}

/// One packet to a trap port makes a suspect, but anybody can send it in anybody's name.
#[test]
#[ignore = "needs root"]
fn forged_packets_to_trap_ports_ban_nobody() {
    let lab = Lab::trio();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    for port in [23, 2323, 5555, 7547, 37215, 52869] {
        forge(&lab, CLIENT, port, 2);
    }
    judged();
    assert_is_suspect(&vauban, CLIENT);
    assert_eq!(vauban.bans(), [""; 0]);
    assert_eq!(lab.reach("client", AT_CLIENT, 80), Reached::Open);
}

/// Both hosts think of the other one as of a scanner, and somebody sends them all kinds of packets
/// in each other's name: what they say to each other ends at once.
#[test]
#[ignore = "needs root"]
fn two_vaubans_do_not_answer_each_other_for_ever() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    let (config, socket) = (lab.folder().join("other.toml"), lab.folder().join("other.sock"));
    std::fs::write(&config, "").unwrap();
    let store = lab.folder().join("store").join("vauban.db");
    let line = format!(
        "{PROGRAM} run --config {} --socket {} --store {}",
        config.display(),
        socket.display(),
        store.display()
    );
    let mut other = lab.on("scanner", &line);
    other.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let _other = Running::start(other);
    let socket = socket.display().to_string();
    wait_until("the other one answers", Duration::from_secs(10), || {
        verb_at(&socket, "status").code == Some(0)
    });
    let nmap = "nmap -n -Pn -sS -T4 --max-retries 0 --max-rtt-timeout 300ms -p 101-140";
    lab.run("scanner", &format!("{nmap} {VICTIM}")).success();
    lab.run("victim", &format!("{nmap} {SCANNER}")).success();
    assert_is_suspect(&vauban, SCANNER);
    let explained = verb_at(&socket, &format!("explain {VICTIM} --json")).success();
    assert!(explained.contains("\"suspect\""), "{explained}");

    let taps = ["scanner", "victim"].map(|role| Tap::open(&lab, role));
    // Every kind of packet to each of them, and into connections that look open.
    let frames = |from, to, macs: ([u8; 6], [u8; 6])| -> Vec<Vec<u8>> {
        let kinds = [SYN, SYN | ACK, ACK, ACK | PSH, RST, RST | ACK, FIN | ACK, FIN, 0, SYN | FIN];
        let kinds = kinds.iter().zip(300_u16..);
        kinds
            .map(|(flags, port)| {
                let segment = Segment::syn(from, to, (40_000, port));
                Segment { flags: *flags, options: Vec::new(), ..segment }
                    .frame_between(macs.1, macs.0)
            })
            .collect()
    };
    let to_victim = frames(SCANNER, VICTIM, (SCANNER_MAC, VICTIM_MAC));
    let to_scanner = frames(VICTIM, SCANNER, (VICTIM_MAC, SCANNER_MAC));
    let sent = to_victim.len() + to_scanner.len();
    send_from(&lab, "scanner", "eth0", to_victim);
    send_from(&lab, "victim", "eth0", to_scanner);
    std::thread::sleep(Duration::from_secs(1));
    let heard = || taps.each_ref().map(|tap| tap.seen().len());
    let soon = heard();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(heard(), soon, "they go on");
    // A SYN, its decoy, the RST of a stack that knows nothing of it: at most three of each.
    for packets in soon {
        assert!(packets >= sent / 2 && packets <= 3 * sent, "{packets} packets for {sent}");
    }
    assert_eq!(vauban.bans(), [""; 0]);
}
