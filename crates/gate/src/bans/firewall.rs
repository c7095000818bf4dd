//! Bans for the kernel: a script for nft(8). Handing it over is for somebody with the right to, not for us.

use std::fmt::Write as _;

use ipnet::IpNet;

/// Longest time-out that nft takes, in seconds: a year is as good as for ever.
const LONGEST: i64 = 365 * 86_400;

/// The ports that are closed to the banned.
const PORTS: &str = "25, 110, 143, 465, 587, 993, 995, 4190";

/// Commands that make a table of ours, and fill it; running them again brings it up to date.
pub fn script(networks: &[(IpNet, i64)]) -> String {
    let mut script = String::new();
    let mut line = |text: &str| {
        script.push_str(text);
        script.push('\n');
    };
    line("add table inet facteur");
    line("delete table inet facteur");
    line("add table inet facteur");
    for (family, kind) in [("4", "ipv4_addr"), ("6", "ipv6_addr")] {
        line(&format!("add set inet facteur banned{family} {{ type {kind}; flags interval, timeout; }}"));
    }
    line("add chain inet facteur input { type filter hook input priority -10; policy accept; }");
    for (family, protocol) in [("4", "ip"), ("6", "ip6")] {
        line(&format!(
            "add rule inet facteur input {protocol} saddr @banned{family} tcp dport {{ {PORTS} }} drop"
        ));
    }
    for (network, seconds) in networks {
        let family = if network.addr().is_ipv4() { "4" } else { "6" };
        let seconds = seconds.clamp(&1, &LONGEST);
        // Writing to a string cannot fail.
        let _ =
            writeln!(script, "add element inet facteur banned{family} {{ {network} timeout {seconds}s }}");
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_has_its_set() {
        let networks = [("192.0.2.1/32".parse().unwrap(), 60), ("2001:db8::/64".parse().unwrap(), i64::MAX)];
        let script = script(&networks);
        let last: Vec<&str> = script.lines().rev().take(2).collect();
        assert_eq!(
            last,
            [
                "add element inet facteur banned6 { 2001:db8::/64 timeout 31536000s }",
                "add element inet facteur banned4 { 192.0.2.1/32 timeout 60s }",
            ]
        );
        assert_eq!(script.lines().filter(|line| line.starts_with("add set ")).count(), 2);
    }
}
