//! The host's own firewall, whatever it is: not a byte of it changes, and it works as before.

use std::fmt::Write;

use crate::daemon::{BAN, Vauban};
use crate::lab::{AT_CLIENT, CLIENT, Lab, Reached, SCANNER, VICTIM};
use crate::services::{Services, answers};

/// One that drops everything but what it knows.
const RESTRICTIVE: &str = r#"
table inet filter {
    set admins {
        type ipv4_addr
        flags interval
        elements = { 198.51.100.0/24, 203.0.113.7 }
    }
    counter refused { }
    chain input {
        type filter hook input priority filter; policy drop;
        ct state vmap { established : accept, related : accept, invalid : drop }
        iif lo accept
        meta l4proto { icmp, ipv6-icmp } accept
        tcp dport 22 ip saddr @admins counter accept comment "administrators"
        tcp dport 80 counter accept
        counter name refused
    }
    chain forward {
        type filter hook forward priority filter; policy drop;
    }
    chain output {
        type filter hook output priority filter; policy accept;
    }
}
table ip raw {
    chain prerouting {
        type filter hook prerouting priority raw; policy accept;
        iif lo notrack
    }
}
"#;

/// What Docker makes for one container with published ports; -p 8080-8084:80.
fn docker() -> String {
    let mut nat = String::new();
    for port in 8080..8085 {
        writeln!(
            nat,
            "-A DOCKER ! -i docker0 -p tcp -m tcp --dport {port} -j DNAT --to-destination \
             172.17.0.2:80"
        )
        .unwrap();
    }
    format!(
        "*nat\n\
         :PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n\
         :POSTROUTING ACCEPT [0:0]\n:DOCKER - [0:0]\n\
         -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n\
         -A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER\n\
         -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE\n\
         -A DOCKER -i docker0 -j RETURN\n\
         {nat}\
         COMMIT\n\
         *filter\n\
         :INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n:DOCKER - [0:0]\n\
         -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n\
         -A FORWARD -o docker0 -j DOCKER\n\
         -A FORWARD -i docker0 ! -o docker0 -j ACCEPT\n\
         -A FORWARD -i docker0 -o docker0 -j ACCEPT\n\
         -A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT\n\
         COMMIT\n"
    )
}

/// Makes the scanner a banned one: it connects to decoys, so that its address is proven, unless the
/// trigger is a ban.
fn scan(lab: &Lab, vauban: &Vauban) {
    let nmap = "nmap -n -Pn -sT -T4 --max-retries 0 --max-rtt-timeout 200ms -p 101-112 192.0.2.1";
    lab.run("scanner", nmap).success();
    vauban.banned(SCANNER);
}

#[test]
#[ignore = "needs root"]
fn a_restrictive_firewall_is_left_alone() {
    restrictive("");
}

#[test]
#[ignore = "needs root"]
fn a_restrictive_firewall_is_left_alone_with_bans_at_the_trigger() {
    restrictive(BAN);
}

fn restrictive(unproven: &str) {
    let lab = Lab::trio();
    let _services = Services::open(&lab, "victim", &[22, 80, 3306], &[]);
    lab.nft_load(RESTRICTIVE);
    let rules = lab.other_rules();
    assert!(rules.contains("handle") && rules.contains("administrators"), "{rules}");
    let works = |when: &str| {
        assert_eq!(lab.reach("client", AT_CLIENT, 22), Reached::Open, "{when}");
        assert_eq!(lab.reach("client", AT_CLIENT, 80), Reached::Open, "{when}");
        assert_eq!(lab.reach("client", AT_CLIENT, 3306), Reached::Silent, "{when}");
        assert_eq!(lab.reach("client", AT_CLIENT, 81), Reached::Silent, "{when}");
    };
    works("before");
    assert_eq!(lab.reach("scanner", VICTIM, 22), Reached::Silent);
    let call = lab.connect("scanner", VICTIM, 80).unwrap();

    let mut vauban = Vauban::start(&lab, unproven);
    works("with Vauban");
    assert_eq!(lab.other_rules(), rules);
    assert!(answers(&call, crate::lab::SILENCE), "conntrack knows it still");
    // That the firewall would have dropped them anyway hides no probe.
    scan(&lab, &vauban);
    works("with a ban");
    assert!(!answers(&call, crate::lab::SILENCE));
    assert_eq!(lab.other_rules(), rules);
    vauban.verb("unban --all").success();
    // Whose address is proven is cut off for good.
    assert_eq!(answers(&call, std::time::Duration::from_secs(6)), unproven == BAN);

    assert_eq!(vauban.stop("TERM"), Some(0));
    works("after");
    assert_eq!(lab.other_rules(), rules);
    assert!(!lab.is_loaded());
}

/// A connection to a published port goes through the host, not to it.
#[test]
#[ignore = "needs root"]
fn published_containers_are_left_alone() {
    let mut lab = Lab::trio();
    lab.add("box");
    lab.ip("victim", "link add docker0 type bridge");
    lab.ip("victim", "addr add 172.17.0.1/16 dev docker0");
    lab.link(("victim", "veth0", [2, 0, 0, 0, 2, 1]), ("box", "eth0", [2, 0, 0, 0, 2, 2]));
    lab.ip("victim", "link set veth0 master docker0");
    lab.ip("victim", "link set docker0 up");
    lab.ip("box", "addr add 172.17.0.2/16 dev eth0");
    lab.ip("box", "route add default via 172.17.0.1");
    lab.sysctl("victim", "net/ipv4/ip_forward", "1");
    let file = lab.folder().join("docker.rules");
    std::fs::write(&file, docker()).unwrap();
    lab.run("victim", &format!("iptables-restore {}", file.display())).success();
    let _services = Services::open(&lab, "box", &[80], &[]);
    let saved = || -> String {
        let text = lab.run("victim", "iptables-save").success();
        let rule = |line: &&str| !line.starts_with('#');
        // Without the counters behind a chain's policy.
        let lines = text.lines().filter(rule).map(|line| line.split(" [").next().unwrap());
        lines.collect::<Vec<_>>().join("\n")
    };
    let (rules, tables) = (lab.other_rules(), saved());
    assert!(tables.contains("-j MASQUERADE"), "{tables}");
    let works = |when: &str| {
        for port in 8080..8085 {
            assert_eq!(lab.reach("client", AT_CLIENT, port), Reached::Open, "{when}: {port}");
        }
        // And the way out.
        let out = lab.reach("box", CLIENT, 9);
        assert_eq!(out, Reached::Refused, "{when}: from the container");
    };
    works("before");

    let mut vauban = Vauban::start(&lab, "");
    works("with Vauban");
    for port in 8080..8085 {
        assert_eq!(lab.reach("scanner", VICTIM, port), Reached::Open);
    }
    vauban.assert_all_quiet();
    assert_eq!(vauban.counter("probes"), 0);
    let call = lab.connect("scanner", VICTIM, 8080).unwrap();
    assert!(answers(&call, crate::lab::SILENCE));
    assert_eq!((lab.other_rules(), saved()), (rules.clone(), tables.clone()));

    scan(&lab, &vauban);
    assert_eq!(lab.reach("scanner", VICTIM, 8080), Reached::Silent, "banned: containers too");
    assert!(!answers(&call, crate::lab::SILENCE));
    works("with a ban");
    vauban.assert_unknown(CLIENT);
    assert_eq!((lab.other_rules(), saved()), (rules.clone(), tables.clone()));

    assert_eq!(vauban.stop("TERM"), Some(0));
    works("after");
    assert_eq!(lab.reach("scanner", VICTIM, 8080), Reached::Open);
    assert_eq!((lab.other_rules(), saved()), (rules, tables));
}

#[test]
#[ignore = "needs root"]
fn a_host_without_a_firewall_stays_one() {
    let lab = Lab::trio();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    assert_eq!(lab.tables(), [""; 0]);
    let mut vauban = Vauban::start(&lab, "");
    assert_eq!(lab.tables(), ["table inet vauban"]);
    assert_eq!(lab.reach("client", AT_CLIENT, 80), Reached::Open);
    assert_eq!(lab.reach("client", AT_CLIENT, 81), Reached::Refused);
    scan(&lab, &vauban);
    assert_eq!(lab.tables(), ["table inet vauban"]);
    assert_eq!(lab.reach("client", AT_CLIENT, 80), Reached::Open);
    // Nobody is tracked because of us.
    let tracked = lab.run("victim", "conntrack -C").success();
    assert_eq!(tracked.trim(), "0");
    assert_eq!(vauban.stop("TERM"), Some(0));
    assert_eq!(lab.tables(), [""; 0]);
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Open);
    assert_eq!(lab.reach("client", AT_CLIENT, 81), Reached::Refused);
}
