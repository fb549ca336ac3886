//! What a proven contact is worth: who speaks like a visitor that a web page has sent, or like a
//! mail client, is excused; who is banned loses the connections it has.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use crate::daemon::Vauban;
use crate::decoys::{assert_is_suspect, judged, proven, shake, suspect};
use crate::lab::{
    AT_CLIENT, CLIENT, Lab, PATIENCE, Reached, SCANNER, SCANNER6, SILENCE, VICTIM, VICTIM6,
};
use crate::process::wait_until;
use crate::services::{Services, answers};

/// Says something and waits for what follows.
fn say(mut call: &TcpStream, words: &[u8]) -> ErrorKind {
    call.set_read_timeout(Some(SILENCE)).unwrap();
    call.write_all(words).unwrap();
    match call.read(&mut [0; 64]) {
        Err(error) => error.kind(),
        Ok(count) => panic!("a decoy has answered {count} bytes"),
    }
}

fn first_bytes(config: &str, afterwards: ErrorKind) {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, config);
    for (victim, scanner) in [(VICTIM, SCANNER), (VICTIM6, SCANNER6)] {
        suspect(&lab, &vauban, victim, scanner);
        let calls = shake(&lab, "scanner", victim, &[2001]);
        assert_eq!(say(&calls[0], b"EHLO bot.example\r\n"), afterwards);
        vauban.settle();
        assert_is_suspect(&vauban, scanner);
        let explained = vauban.explain(scanner);
        let evidence = explained["evidence"].as_array().unwrap();
        let item = evidence.iter().find(|item| item["meaning"] == "proven");
        let item = item.unwrap_or_else(|| panic!("{explained:#}"));
        // "EHLO bot.example" and the end of the line.
        assert_eq!(item["said"], "45484c4f20626f742e6578616d706c650d0a", "{explained:#}");
        assert_eq!(item["port"], "tcp/2001", "{explained:#}");
        let text = vauban.verb(&format!("explain {scanner}")).success();
        assert!(text.contains("EHLO bot.example"), "{text}");
    }
}

#[test]
#[ignore = "needs root"]
fn first_bytes_are_kept_and_met_with_silence() {
    first_bytes("", ErrorKind::WouldBlock);
}

#[test]
#[ignore = "needs root"]
fn first_bytes_are_kept_and_met_with_a_reset_if_configured() {
    first_bytes("[decoy]\nafterwards = \"reset\"\n", ErrorKind::ConnectionReset);
}

/// Three decoys hear this; who says it is then banned or not.
fn three_times(words: &str) -> bool {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    suspect(&lab, &vauban, VICTIM, SCANNER);
    for port in [3000, 8000, 8888] {
        let mut call = lab.connect("scanner", VICTIM, port).unwrap();
        call.write_all(words.replace("PORT", &port.to_string()).as_bytes()).unwrap();
        // A browser keeps a spare connection.
        std::thread::sleep(Duration::from_millis(100));
    }
    judged();
    let explained = vauban.explain(SCANNER);
    let evidence = explained["evidence"].as_array().unwrap();
    let excused = evidence.iter().filter(|item| item["meaning"] == "excused").count();
    let banned = explained["state"] == "banned";
    assert_eq!(excused, if banned { 0 } else { 3 }, "{explained:#}");
    banned
}

#[test]
#[ignore = "needs root"]
fn a_browser_that_a_page_of_another_site_sends_around_is_not_banned() {
    let words = "GET /x HTTP/1.1\r\nHost: 192.0.2.1:PORT\r\nOrigin: https://evil.example\r\n\
                 Sec-Fetch-Site: cross-site\r\n\r\n";
    assert!(!three_times(words));
}

#[test]
#[ignore = "needs root"]
fn an_origin_of_another_site_is_enough() {
    let words = "POST / HTTP/1.1\r\nHost: 192.0.2.1:PORT\r\nOrigin: https://evil.example\r\n\r\n";
    assert!(!three_times(words));
}

#[test]
#[ignore = "needs root"]
fn addresses_typed_by_hand_are_a_ban() {
    let words = "GET / HTTP/1.1\r\nHost: 192.0.2.1:PORT\r\nSec-Fetch-Site: none\r\n\r\n";
    assert!(three_times(words));
}

/// A mail client that is told a host's name only tries one port after the other.
#[test]
#[ignore = "needs root"]
fn a_mail_client_may_try_all_ports_of_mail() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    suspect(&lab, &vauban, VICTIM, SCANNER);
    let _calls = shake(&lab, "scanner", VICTIM, &[25, 110, 143, 465, 587]);
    judged();
    assert_is_suspect(&vauban, SCANNER);
    assert_eq!(proven(&vauban, SCANNER).len(), 1);
    // Two more are others' ports.
    let _calls = shake(&lab, "scanner", VICTIM, &[2001, 2002]);
    vauban.banned(SCANNER);
}

#[test]
#[ignore = "needs root"]
fn one_handshake_with_a_trap_port_is_a_ban() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    let _calls = shake(&lab, "scanner", VICTIM, &[23]);
    let explained = vauban.banned(SCANNER);
    assert_eq!(explained["ban"]["proven"], true, "{explained:#}");
    let reason = explained["ban"]["reason"].as_str().unwrap();
    assert!(reason.contains("trap port tcp/23"), "{reason}");
}

/// The same port again and again is one.
#[test]
#[ignore = "needs root"]
fn two_decoys_may_be_tried_for_ever() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    suspect(&lab, &vauban, VICTIM, SCANNER);
    for _ in 0..20 {
        drop(shake(&lab, "scanner", VICTIM, &[2001, 2002]));
    }
    judged();
    assert_is_suspect(&vauban, SCANNER);
    assert_eq!(proven(&vauban, SCANNER), ["tcp/2001", "tcp/2002"]);
}

/// How many decoys it takes, and for how long they count, is configured.
#[test]
#[ignore = "needs root"]
fn ports_and_window_are_configured() {
    let lab = Lab::trio();
    let vauban = Vauban::start(&lab, "[decoy]\nports = 2\nwindow = \"3s\"\n");
    suspect(&lab, &vauban, VICTIM, SCANNER);
    let _calls = shake(&lab, "scanner", VICTIM, &[2001]);
    // The handshake counts three seconds.
    std::thread::sleep(Duration::from_millis(3500));
    let _more = shake(&lab, "scanner", VICTIM, &[2002]);
    judged();
    assert_is_suspect(&vauban, SCANNER);
    let _third = shake(&lab, "scanner", VICTIM, &[2003]);
    let explained = vauban.banned(SCANNER);
    let reason = explained["ban"]["reason"].as_str().unwrap();
    assert!(reason.contains("2 distinct decoys"), "{reason}");
    vauban.assert_unknown(CLIENT);
    assert_eq!(lab.reach("client", AT_CLIENT, 2001), Reached::Refused);
}

/// A login that is open when its peer is banned is open no more, on the server's side either.
#[test]
#[ignore = "needs root"]
fn a_proven_ban_ends_the_connections_that_its_source_has() {
    let lab = Lab::trio();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    for (victim, scanner) in [(VICTIM, SCANNER), (VICTIM6, SCANNER6)] {
        let listener = lab.inside("victim", || TcpListener::bind("[::]:2022").unwrap());
        let theirs = lab.connect("scanner", victim, 2022).unwrap();
        let (server, _) = listener.accept().unwrap();
        let others = lab.connect("client", AT_CLIENT, 80).unwrap();
        suspect(&lab, &vauban, victim, scanner);
        server.set_read_timeout(Some(SILENCE)).unwrap();
        let read = || (&server).read(&mut [0; 8]);
        (&theirs).write_all(b"ls").unwrap();
        assert_eq!(read().unwrap(), 2, "a suspect keeps what it has");

        let _calls = shake(&lab, "scanner", victim, &[2001, 2002, 2003]);
        vauban.banned(scanner);
        wait_until("the server's socket fails", PATIENCE, || match read() {
            Err(error) => error.kind() != ErrorKind::WouldBlock,
            Ok(count) => panic!("{count} bytes"),
        });
        let left =
            lab.run("victim", &format!("ss -Htn state established dst [{scanner}]")).success();
        assert_eq!(left, "");
        assert!(answers(&others, SILENCE), "somebody else's");
        vauban.verb("unban --all").success();
    }
}
