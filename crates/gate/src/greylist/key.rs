//! By what clients and senders are known: a triplet's key, and the pools a client belongs to.

use std::net::IpAddr;

use ipnet::IpNet;
use sha2::{Digest, Sha256};

/// A longer key is kept as its hash: what strangers make us remember has a limit.
const LONGEST: usize = 300;

/// The network a client is known by, or its whole address.
pub fn network(client: IpAddr, v4: u8, v6: u8, whole: bool) -> String {
    let client = client.to_canonical();
    let bits = if client.is_ipv4() { v4 } else { v6 };
    match IpNet::new(client, bits) {
        Ok(net) if !whole => net.network().to_string(),
        _ => client.to_string(),
    }
}

/// `client/sender/recipient`, in lower case.
pub fn triplet(client: &str, sender: &str, recipient: &str) -> String {
    let key = format!("{client}/{}/{recipient}", sender_of_all_mail(sender)).to_lowercase();
    if key.len() <= LONGEST {
        return key;
    }
    let hash: String =
        Sha256::digest(key.as_bytes())[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{client}/#{hash}")
}

/// The sender without what changes from mail to mail: a BATV tag, an extension, numbers (VERP).
pub fn sender_of_all_mail(sender: &str) -> String {
    let Some((local, domain)) = sender.split_once('@') else { return sender.to_owned() };
    let local = without_tag(local);
    let local = local.split('+').next().unwrap_or_default();
    let mut short = String::with_capacity(local.len());
    let mut rest = local;
    while !rest.is_empty() {
        let word = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(word);
        let number = !run.is_empty() && run.bytes().all(|b| b.is_ascii_digit());
        short.push_str(if number { "#" } else { run });
        let other = after.find(is_word).unwrap_or(after.len());
        short.push_str(&after[..other]);
        rest = &after[other..];
    }
    format!("{short}@{domain}")
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// `prvs=tag=local` (BATV), or the other way round as some have it.
fn without_tag(local: &str) -> &str {
    let parts: Vec<&str> = local.split('=').collect();
    let [scheme, first, second] = parts[..] else { return local };
    let tag = |text: &str| {
        text.len() >= 10 && text.bytes().take(10).all(|b| b.is_ascii_digit() || b.is_ascii_lowercase())
    };
    match scheme == "prvs" {
        true if tag(second) && !tag(first) => first,
        true => second,
        false => local,
    }
}

/// The domain of a provider's hosts: what follows the first label of a verified name. `None` for names that only
/// spell an address, as access providers give them to anybody, and where no provider's domain is left.
pub fn domain_of_hosts(name: &str, client: IpAddr) -> Option<&str> {
    let (host, domain) = name.trim_end_matches('.').split_once('.')?;
    let spells = match client.to_canonical() {
        IpAddr::V4(v4) => {
            let octets = v4.octets();
            let digits = |n: usize| octets[n].to_string();
            let runs: Vec<&str> = name.split(|c: char| !c.is_ascii_digit()).collect();
            let named = (0..4).filter(|n| runs.contains(&digits(*n).as_str())).count();
            named >= 3 || host.contains(&octets.map(|octet| format!("{octet:02x}")).concat())
        }
        IpAddr::V6(v6) => {
            let last = format!("{:x}", v6.segments()[7]);
            last.len() >= 3 && host.contains(&last)
        }
    };
    // `example.org` itself, and `co.uk` below `example.co.uk`, are no pools.
    let labels = domain.split('.').count();
    let short_top = domain.split('.').all(|label| label.len() <= 3);
    (!spells && labels >= 2 && !short_top).then_some(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn clients_are_known_by_their_network() {
        for (client, whole, expected) in [
            ("192.0.2.77", false, "192.0.2.0"),
            ("192.0.2.77", true, "192.0.2.77"),
            ("2001:db8:1:2:3:4:5:6", false, "2001:db8:1:2::"),
            ("::ffff:192.0.2.77", false, "192.0.2.0"),
        ] {
            assert_eq!(network(ip(client), 24, 64, whole), expected, "{client}");
        }
        assert_eq!(network(ip("192.0.2.77"), 16, 64, false), "192.0.0.0");
    }

    #[test]
    fn what_changes_from_mail_to_mail_is_left_out_of_senders() {
        for (sender, expected) in [
            ("ann@x.test", "ann@x.test"),
            ("ann+list@x.test", "ann@x.test"),
            ("bounce-4711-ann@x.test", "bounce-#-ann@x.test"),
            ("b4711@x.test", "b4711@x.test"),
            ("1@2.test", "#@2.test"),
            ("prvs=123456789a=ann@x.test", "ann@x.test"),
            ("prvs=ann=123456789a@x.test", "ann@x.test"),
            ("", ""),
            ("MAILER-DAEMON", "MAILER-DAEMON"),
        ] {
            assert_eq!(sender_of_all_mail(sender), expected, "{sender}");
        }
        assert_eq!(triplet("192.0.2.0", "Ann@X.test", "Joe@Here.test"), "192.0.2.0/ann@x.test/joe@here.test");
        let long = triplet("192.0.2.0", &"a".repeat(5000), "joe@here.test");
        assert!(long.len() < 60 && long.starts_with("192.0.2.0/#"), "{long}");
    }

    #[test]
    fn hosts_of_one_provider_are_a_pool_and_hosts_of_anybody_are_not() {
        for (name, client, expected) in [
            ("mail-ej1-f41.google.com", "209.85.218.41", Some("google.com")),
            ("mx1.mail.example.org", "192.0.2.1", Some("mail.example.org")),
            ("example.org", "192.0.2.1", None),
            ("example.co.uk", "192.0.2.1", None),
            ("host-192-0-2-1.isp.example", "192.0.2.1", None),
            ("c0000201.isp.example", "192.0.2.1", None),
            ("1.2.0.192.dyn.isp.example", "192.0.2.1", None),
            ("unknown", "192.0.2.1", None),
            ("p2a01abcd.isp.example", "2a01::abcd", None),
        ] {
            assert_eq!(domain_of_hosts(name, ip(client)), expected, "{name}");
        }
    }
}
