//! The servers of the documents, from their own lines.

use testbed::database::PASSWORD;
use testbed::{Address, Database, Instance, Sink, Site, address};

fn lookup(site: Site, mail: &Database, name: &str, query: &str) -> Site {
    let hosts = format!("unix:{}/socket", mail.path().display());
    let text = format!(
        "hosts = {hosts}\nuser = mail\npassword = {PASSWORD}\ndbname = mail\nretry_interval = 1\nquery = {query}\n"
    );
    site.file(name, &text)
}

/// The servers of the documents: `smtp.ca.auf.org`, the server of `ca.auf.org` with the backup mailboxes, that of a bureau,
/// and the one of the lists.
pub struct Auf {
    /// The MX of auf.org, and where clients submit.
    pub smtp: Instance,
    /// `ca.auf.org` and `secours`.
    pub boxes: Instance,
    /// `sn.auf.org`.
    pub dakar: Instance,
    /// `listes.auf.org`.
    pub lists: Sink,
    /// Port 587.
    pub submission: Address,
}

/// Starts them over the data base that they share.
pub fn start(mail: &Database) -> Auf {
    let (lists, submission) = (Sink::new(), address());
    let dakar = Site::new("smtp.sn.auf.org")
        .set("virtual_mailbox_domains", "sn.auf.org")
        .set(
            "virtual_mailbox_maps",
            "inline:{ {paul.ngo@sn.auf.org = paul/} {d'arcy.o'neil@sn.auf.org = darcy/} }",
        )
        .start();
    let mx = Site::new("smtp.ca.auf.org");
    let boxes = lookup(
        Site::new("imap.ca.auf.org"),
        mail,
        "virtual_mailbox_maps.cf",
        "SELECT maildir FROM users WHERE username = '%u'",
    )
    .set("virtual_mailbox_domains", "ca.auf.org, secours")
    .set("virtual_mailbox_maps", "proxy:mysql:$config_directory/virtual_mailbox_maps.cf")
    .set("relayhost", &mx.nexthop())
    .start();
    let sql = mx.put(
        "dovecot-sql.conf.ext",
        &format!(
            "driver = mysql\nconnect = host={}/socket dbname=mail user=mail password={PASSWORD}\ndefault_pass_scheme = CRYPT\n\
             password_query = SELECT username as user, password FROM users WHERE username='%u' or (%n=username and %d='auf.org')\n",
            mail.path().display()
        ),
    );
    let smtp = lookup(mx, mail, "auforg_virtual.cf", "SELECT destination FROM auforg_virtual WHERE source = '%s'")
        .with_tls("smtp.ca.auf.org")
        .set("mydestination", "")
        .set("mynetworks", "127.255.0.0/16")
        .set("virtual_mailbox_domains", "")
        .set("virtual_alias_domains", "auf.org")
        .set(
            "virtual_alias_maps",
            "proxy:mysql:$config_directory/auforg_virtual.cf, hash:$config_directory/virtual-auf.org, \
             regexp:$config_directory/virtual-mailman",
        )
        .file("virtual-auf.org", "postmaster@auf.org anne.roy@ca.auf.org\nold.name@auf.org anne.roy@auf.org\n")
        .file("virtual-mailman", "/^(.+-(admin|bounces|confirm|join|leave|owner|request|subscribe|unsubscribe))@auf\\.org$/ $1@listes.auf.org\n")
        // a lire comme "tous les sous-domaines de auf.org SAUF auf.org lui-meme
        .set("relay_domains", ".auf.org,!auf.org")
        .set(
            "parent_domain_matches_subdomains",
            "debug_peer_list,fast_flush_domains,mynetworks,permit_mx_backup_networks,qmqpd_authorized_clients,smtpd_access_maps",
        )
        .set("smtpd_reject_unlisted_sender", "yes")
        .set("unverified_sender_reject_code", "550")
        .set("smtpd_relay_restrictions", "permit_mynetworks, reject_unauth_destination")
        .set("transport_maps", "hash:$config_directory/transport")
        .file(
            "transport",
            &format!(
                "ca.auf.org smtp:{0}\nsecours smtp:{0}\nlistes.auf.org smtp:{1}\nsn.auf.org smtp:{2}\n",
                boxes.nexthop(),
                lists.nexthop(),
                dakar.nexthop()
            ),
        )
        .set("smtpd_sasl_type", "facteur")
        .set("passdb", &format!("sql:{}", sql.display()))
        .set("auth_failure_delay", "0")
        .service(&format!(
            "{}:{} inet n - n - - smtpd -o smtpd_tls_security_level=encrypt -o smtpd_sasl_auth_enable=yes -o smtpd_relay_restrictions=permit_sasl_authenticated,reject -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject",
            submission.ip(),
            submission.port()
        ))
        .start();
    Auf { smtp, boxes, lists, dakar, submission }
}
