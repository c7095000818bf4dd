//! Whole configurations, as Dovecot 2.3 and 2.4 have them.

use std::fs;
use std::path::Path;

use super::*;

fn plan(text: &str) -> Plan {
    let tree = syntax::parse(text, Path::new("dovecot.conf"));
    assert_eq!(tree.mistakes, Vec::<String>::new());
    translate::translate(&tree.root, &crate::params::registry())
}

#[test]
fn a_site_of_2_3_is_translated() {
    let plan = plan(
        "auth_mechanisms = plain login\nauth_failure_delay = 3 secs\ndisable_plaintext_auth = yes\n\
         listen = 192.0.2.1, ::1\nmail_location = maildir:/var/vmail/%d/%n\nmail_uid = vmail\nmail_gid = vmail\n\
         namespace inbox {\n inbox = yes\n separator = /\n prefix =\n mailbox Sent {\n  auto = subscribe\n  special_use = \\Sent\n }\n\
         mailbox \"Sent Items\" {\n  special_use = \\Sent\n }\n mailbox \"Deleted Mail\" {\n  special_use = \\Trash\n }\n}\n\
         passdb {\n args = scheme=CRYPT username_format=%u /etc/dovecot/users\n driver = passwd-file\n}\n\
         passdb {\n args = /etc/dovecot/dovecot-sql.conf.ext\n driver = sql\n result_internalfail = continue-fail\n}\n\
         userdb {\n args = uid=vmail gid=vmail home=/var/vmail/%d/%n\n driver = static\n}\n\
         plugin {\n quota = maildir:User quota\n quota_rule = *:storage=1G\n sieve = ~/.dovecot.sieve\n}\n\
         protocols = imap lmtp sieve\n\
         service auth {\n unix_listener /var/spool/postfix/private/auth {\n  mode = 0660\n }\n}\n\
         service imap-login {\n inet_listener imap {\n  port = 0\n }\n inet_listener imaps {\n  port = 10993\n }\n}\n\
         service lmtp {\n unix_listener /var/spool/postfix/private/dovecot-lmtp {\n  mode = 0600\n }\n}\n\
         ssl = required\nssl_cert = </etc/ssl/a.pem\nssl_dh = </etc/dovecot/dh.pem\nssl_min_protocol = TLSv1.2\n\
         protocol imap {\n mail_max_userip_connections = 20\n mail_plugins = quota imap_quota\n}\n",
    );
    for (name, value) in [
        ("auth_mechanisms", "plain login"),
        ("auth_failure_delay", "3s"),
        ("mail_location", "maildir:/var/vmail/%d/%n"),
        ("mail_uid", "vmail"),
        ("mailbox_separator", "/"),
        ("mailbox_special_use", "Sent=Sent, {Trash=Deleted Mail}"),
        ("mailbox_special_use_create", "yes"),
        ("mailbox_quota", "1073741824"),
        ("ssl", "required"),
        ("ssl_cert", "/etc/ssl/a.pem"),
        (
            "passdb",
            "{ passwd-file:/etc/dovecot/users, scheme=CRYPT, username_format=%u }, \
             { sql:/etc/dovecot/dovecot-sql.conf.ext, result_internalfail=continue-fail }",
        ),
        ("userdb", "{ static, uid=vmail, gid=vmail, home=/var/vmail/%d/%n }"),
    ] {
        assert_eq!(plan.get(name), Some(value), "{name}");
    }
    let master = plan.master.join("\n");
    for line in [
        "192.0.2.1:10993 inet  n  -  n  -  -  imapd\n    -o ssl_wrappermode=yes\n    -o mail_max_userip_connections=20",
        "[::1]:10993 inet",
        "auth      unix  -  -  n  -  -  auth",
        "dovecot-lmtp unix  -  -  n  -  -  lmtpd",
    ] {
        assert!(master.contains(line), "{line} in {master}");
    }
    assert!(!master.contains("imap "), "port 0 is no listener: {master}");
    let left = plan.left.join("\n");
    assert!(left.contains("sieve = ~/.dovecot.sieve") && left.contains("protocols: sieve"), "{left}");
    assert_eq!(plan.left.len(), 2, "{left}");
    assert!(plan.needless.iter().any(|(what, _)| what == "ssl_dh"));
    // The files of the databases are not here; the rest is understood by those who read it.
    let wrong = census::mistakes(&census::view(&plan));
    assert!(wrong.iter().all(|text| text.contains("/etc/dovecot/")), "{wrong:?}");
}

#[test]
fn a_site_of_2_4_is_translated() {
    let plan = plan(
        "dovecot_config_version = 2.4.0\nprotocols {\n imap = yes\n pop3 = yes\n}\nmail_driver = maildir\n\
         mail_path = /var/mail/%{user | domain | lower}/%{user | username}\nauth_allow_cleartext = yes\n\
         mail_plugins {\n quota = yes\n}\n\
         sql_driver = mysql\nmysql db.example.org {\n user = dovecot\n password = secret\n dbname = mails\n}\n\
         passdb sql {\n default_password_scheme = SHA256-CRYPT\n query = SELECT a FROM b WHERE c = '%{user}'\n}\n\
         userdb static {\n fields {\n  uid = vmail\n  home = /var/mail/%{user | domain}/%{user | username}\n }\n}\n\
         ssl_server_cert_file = /etc/ssl/a.pem\nssl_server_key_file = /etc/ssl/a.key\nquota_storage_size = 500M\n",
    );
    for (name, value) in [
        ("mail_location", "maildir:/var/mail/%Ld/%n"),
        ("disable_plaintext_auth", "no"),
        ("passdb", "sql:/etc/dovecot/dovecot-sql.conf.ext"),
        ("userdb", "{ static, uid=vmail, home=/var/mail/%d/%n }"),
        ("ssl_cert", "/etc/ssl/a.pem"),
        ("ssl_key", "/etc/ssl/a.key"),
        ("mailbox_quota", "524288000"),
    ] {
        assert_eq!(plan.get(name), Some(value), "{name}");
    }
    let (_, file) = &plan.files[0];
    assert_eq!(
        file,
        "driver = mysql\nconnect = host=db.example.org user=dovecot password=? dbname=mails\n\
         password_query = SELECT a FROM b WHERE c = '%u'\ndefault_pass_scheme = SHA256-CRYPT\n"
    );
    let said = format!("{:?}", plan);
    assert!(!said.contains("secret"), "{said}");
    let services: Vec<_> = plan.master.iter().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(services, ["imap", "imaps", "pop3", "pop3s"]);
    assert_eq!(plan.left, Vec::<String>::new());
}

#[test]
fn what_is_not_read_in_place_is_said() {
    let plan =
        plan("mail_location = sdbox:~/dbox\nnamespace shared {\n type = shared\n}\nfancy_setting = 1\n");
    let left = plan.left.join("\n");
    assert!(
        left.contains("dovecot.conf:1: mail_location = sdbox") && left.contains("doveadm backup"),
        "{left}"
    );
    assert!(left.contains("dovecot.conf:2: namespace shared"), "{left}");
    assert!(left.contains("dovecot.conf:5: fancy_setting = 1"), "{left}");
}

#[test]
fn mail_is_counted_by_the_parameters_that_were_made() {
    let home = tempfile::tempdir().expect("a directory");
    let at = |name: &str| home.path().join(name);
    for folder in ["joe/cur", "joe/new", "joe/.Sent/cur"] {
        fs::create_dir_all(at(folder)).expect("made");
    }
    fs::write(at("joe/cur/1.a:2,S"), "x").expect("written");
    fs::write(at("joe/.Sent/cur/2.a:2,S"), "x").expect("written");
    fs::write(at("joe/dovecot-uidlist"), "3 V1700000000 N2 G00112233445566778899aabbccddeeff\n1 :1.a\n")
        .expect("written");
    fs::write(at("users"), "joe:{PLAIN}x\nann:{PLAIN}x\n").expect("written");
    let dir = home.path().display();
    let plan = plan(&format!(
        "mail_location = maildir:{dir}/%u\npassdb {{\n driver = passwd-file\n args = {dir}/users\n}}\n\
         userdb {{\n driver = passwd-file\n args = {dir}/users\n}}\n"
    ));
    let counted = census::count(&census::view(&plan), "joe").expect("counted");
    let [joe] = counted.as_slice() else { panic!("one account is asked for") };
    let found = joe.found.as_ref().expect("read");
    let mut shown: Vec<_> =
        found.iter().map(|tally| (tally.name.as_str(), tally.messages, tally.uidvalidity)).collect();
    shown.sort();
    assert_eq!(shown, [("INBOX", 1, Some(1_700_000_000)), ("Sent", 1, None)]);
}
