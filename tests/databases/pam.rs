//! The `/etc/pam.d/smtp` of auf.org: pam_mysql with a condition, as two rows stand for each person.

use std::fs;
use std::path::{Path, PathBuf};

use testbed::database::PASSWORD;
use testbed::{Client, Database, Site, neighbour};

/// A file of /etc/pam.d that does not outlive its test.
struct PamService(PathBuf);

impl Drop for PamService {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn pam_mysql_with_its_condition() {
    let module = ["/lib/x86_64-linux-gnu/security/pam_mysql.so", "/lib/security/pam_mysql.so"];
    if !module.iter().any(|path| Path::new(path).exists()) {
        eprintln!("libpam-mysql is not installed: skipped");
        return;
    }
    if !neighbour::root() {
        return;
    }
    let Some(mail) = Database::mariadb() else { return };
    mail.run(
        "CREATE TABLE auforg_virtual (source VARCHAR(100), destination VARCHAR(100), password VARCHAR(200));\n\
         INSERT INTO auforg_virtual VALUES ('anne.roy@auf.org', 'anne.roy@secours', '!'),\n\
           ('anne.roy@auf.org', 'anne.roy@ca.auf.org', '$6$rounds=1000$facteur$CrUdWBgNlCQ.bwVclpj19uOvtDKGdqTv6aGvHGIowGJ4dLVN6ChzsK4ELiKtBtu3Dj.eSvS3HSPPuirgYvQra.'),\n\
           ('locked@auf.org', 'locked@secours', '!');\n",
    );
    let name = format!("facteur-mysql-{}", std::process::id());
    let file = PamService(Path::new("/etc/pam.d").join(&name));
    let rest = format!(
        "pam_mysql.so user=mail passwd={PASSWORD} host={} db=mail table=auforg_virtual \
         [where=length(password)>1] usercolumn=source passwdcolumn=password crypt=1",
        mail.address()
    );
    fs::write(&file.0, format!("auth required {rest}\naccount sufficient {rest}\n")).expect("root may");
    let running = Site::new("smtp.ca.auf.org")
        .set("smtpd_sasl_auth_enable", "yes")
        .set("smtpd_sasl_type", "facteur")
        .set("passdb", &format!("pam:{name}"))
        .set("auth_failure_delay", "0")
        .start();
    for (login, code) in [
        // anne.roy@auf.org with "secret", with "wrong" and with "!"; locked@auf.org with "!"; ' OR '1'='1 with "secret".
        ("AGFubmUucm95QGF1Zi5vcmcAc2VjcmV0", 235),
        ("AGFubmUucm95QGF1Zi5vcmcAd3Jvbmc=", 535),
        ("AGFubmUucm95QGF1Zi5vcmcAIQ==", 535),
        ("AGxvY2tlZEBhdWYub3JnACE=", 535),
        ("ACcgT1IgJzEnPScxAHNlY3JldA==", 535),
    ] {
        let mut client = Client::greeted(running.smtp());
        client.hello();
        assert_eq!(client.ask(&format!("AUTH PLAIN {login}")).code, code, "{login} {}", running.log());
        client.ask("QUIT");
    }
    assert!(!running.log().contains(PASSWORD) && !running.log().contains("secret"));
}
