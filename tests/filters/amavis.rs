//! amavisd-new with SpamAssassin and clamd, as in seed 003: behind the queue as `content_filter`, and before it as a
//! milter.

use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::User;
use testbed::{Address, Instance, Kept, address, neighbour, wait};

use super::clamd::Clamd;
use super::{EICAR, Folder, message, offered, site, start_at};

/// amavisd-new, to which mail comes at `smtp` and goes on to `next`, or which answers a milter at its socket.
struct Amavis {
    folder: Folder,
    user: User,
    smtp: Address,
    _daemon: Kept,
    _clamd: Clamd,
}

impl Amavis {
    /// Starts it; `None`: it is not here, or we are not root.
    fn start([amavisd, clamd]: [PathBuf; 2], next: Address) -> Option<Amavis> {
        let user = User::from_name("amavis").expect("users can be asked for");
        let Some(user) = user.filter(|_| neighbour::root()) else {
            neighbour::skip("there is no user amavis, or we are not root");
            return None;
        };
        let clamd = Clamd::start(&clamd);
        let (folder, smtp) = (Folder::new(), address());
        for name in ["tmp", "var"] {
            folder.folder(name, Some(&user), 0o750);
        }
        folder.folder("rules", None, 0o755);
        folder.file("rules/own.pre", "loadplugin Mail::SpamAssassin::Plugin::Check\n");
        folder.file("rules/own.cf", "body OWN_CASINO /casino/i\nscore OWN_CASINO 7.5\nuse_bayes 0\n");
        let settings = folder.file("amavisd.conf", &settings(&folder, smtp, next, &clamd));
        let mut command = Command::new("perl");
        command.arg("-T").arg(amavisd).args(["-c", &settings, "foreground"]);
        let daemon = start_at(&mut command, smtp);
        let amavis = Amavis { smtp, user, _daemon: daemon, folder, _clamd: clamd };
        wait::until("its socket", || UnixStream::connect(amavis.socket()).ok());
        Some(amavis)
    }

    fn socket(&self) -> String {
        self.folder.path("var/socket")
    }

    /// The milter that speaks for it.
    fn milter(&self, program: &Path) -> (Kept, Address) {
        let at = address();
        let socket = format!("inet:{}@{}", at.port(), at.ip());
        let (amavis, work, pid) =
            (self.socket(), self.folder.path("tmp"), self.folder.path("var/milter.pid"));
        let mut command = Command::new(program);
        command.args(["-f", "-s", &socket, "-S", &amavis, "-w", &work, "-p", &pid]);
        command.uid(self.user.uid.as_raw()).gid(self.user.gid.as_raw());
        (start_at(&mut command, at), at)
    }
}

fn settings(folder: &Folder, smtp: Address, next: Address, clamd: &Clamd) -> String {
    let (var, tmp, rules) = (folder.path("var"), folder.path("tmp"), folder.path("rules"));
    format!(
        r#"use strict;
$max_servers = 2; $daemon_user = 'amavis'; $daemon_group = 'amavis';
$MYHOME = '{var}'; $TEMPBASE = '{tmp}'; $db_home = '{var}'; $enable_db = 0; $enable_zmq = 0;
$QUARANTINEDIR = undef; $pid_file = '{var}/pid'; $lock_file = '{var}/lock';
$myhostname = 'mx.test'; $mydomain = 'test'; @local_domains_maps = (['.']); @mynetworks = qw(192.0.2.0/24);
$inet_socket_bind = '{}'; $inet_socket_port = {}; @inet_acl = qw(127.0.0.0/8);
$notify_method = $forward_method = 'smtp:[{}]:{}';
$unix_socketname = '{var}/socket'; $interface_policy{{'SOCK'}} = 'MILTER';
$policy_bank{{'MILTER'}} = {{ protocol => 'AM.PDP' }};
$DO_SYSLOG = 0; $LOGFILE = '{var}/log'; $log_level = 1;
$sa_configpath = '{rules}'; $sa_siteconfigpath = '{rules}'; $sa_local_tests_only = 1;
$sa_tag_level_deflt = -999; $sa_tag2_level_deflt = 5; $sa_kill_level_deflt = 50;
$final_virus_destiny = D_DISCARD; $final_spam_destiny = D_PASS; $final_banned_destiny = D_PASS;
$final_bad_header_destiny = D_PASS;
$virus_quarantine_to = $spam_quarantine_to = $banned_quarantine_to = $bad_header_quarantine_to = undef;
$virus_admin = $spam_admin = undef; $enable_dkim_verification = $enable_dkim_signing = 0;
@decoders = (['mail', \&do_mime_decode]);
@av_scanners = (['ClamAV-clamd', \&ask_daemon, ["CONTSCAN {{}}\n", '{}'],
    qr/\bOK$/m, qr/\bFOUND$/m, qr/^.*?: (?!Infected Archive)(.*) FOUND$/m]);
@av_scanners_backup = ();
1;
"#,
        smtp.ip(),
        smtp.port(),
        next.ip(),
        next.port(),
        clamd.socket()
    )
}

/// Ham passes and is looked at, spam is marked.
fn assert_judges(mx: &Instance) {
    mx.send("joe@far.test", &["bob@box.test"], &message("well", "see you on thursday"));
    let ham = mx.maildir("bob").one();
    assert!(ham.contains("\nX-Virus-Scanned: ") && ham.contains("\nX-Spam-Status: No, score=0"), "{ham}");
    mx.send("joe@far.test", &["ann@box.test"], &message("offer", "the best casino in town"));
    let spam = mx.maildir("ann").one();
    assert!(spam.contains("\nX-Spam-Flag: YES\n") && spam.contains("OWN_CASINO=7.5"), "{spam}");
}

#[test]
fn amavis_gives_mail_back_behind_the_queue() {
    let Some(programs) = neighbour::installed(["amavisd", "clamd"]) else { return };
    let back = address();
    let Some(amavis) = Amavis::start(programs, back) else { return };
    // The lines of README.postfix that everybody has.
    let mx = site()
        .set("content_filter", &format!("smtp-amavis:[{}]:{}", amavis.smtp.ip(), amavis.smtp.port()))
        .service(
            "smtp-amavis unix - - y - 2 smtp -o smtp_data_done_timeout=1200 -o smtp_send_xforward_command=yes \
             -o disable_dns_lookups=yes -o max_use=20",
        )
        .service(&format!(
            "{}:{} inet n - y - - smtpd -o content_filter= -o smtpd_delay_reject=no \
             -o smtpd_client_restrictions=permit_mynetworks,reject -o smtpd_helo_restrictions= \
             -o smtpd_sender_restrictions= -o smtpd_recipient_restrictions=permit_mynetworks,reject \
             -o smtpd_data_restrictions=reject_unauth_pipelining -o smtpd_end_of_data_restrictions= \
             -o smtpd_restriction_classes= -o mynetworks=127.0.0.0/8 -o smtpd_error_sleep_time=0 \
             -o smtpd_soft_error_limit=1001 -o smtpd_hard_error_limit=1000 -o smtpd_client_connection_count_limit=0 \
             -o smtpd_client_connection_rate_limit=0 -o local_header_rewrite_clients= \
             -o smtpd_authorized_xforward_hosts=127.0.0.0/8 \
             -o receive_override_options=no_header_body_checks,no_unknown_recipient_checks,no_milters",
            back.ip(),
            back.port()
        ))
        .start();
    assert_judges(&mx);
    // Who had brought it is known behind amavis, too.
    mx.wait_log(&["client=unknown[127.0.0.1]", "orig_queue_id=", "orig_client=unknown[127.0.0.1]"]);
    assert_eq!(offered(&mx, &message("sick", &EICAR.concat())).code, 250);
    mx.wait_log(&["discarded", "Own.Eicar"]);
    assert_eq!(mx.maildir("bob").messages().len(), 1);
}

#[test]
fn amavis_judges_before_the_queue_as_a_milter() {
    let Some([amavisd, clamd, milter]) = neighbour::installed(["amavisd", "clamd", "amavisd-milter"]) else {
        return;
    };
    let Some(amavis) = Amavis::start([amavisd, clamd], address()) else { return };
    let (_milter, at) = amavis.milter(&milter);
    let mx = site()
        .set("smtpd_milters", &format!("inet:{}:{}", at.ip(), at.port()))
        .set("milter_default_action", "tempfail")
        .set("milter_content_timeout", "300s")
        .start();
    assert_judges(&mx);
    assert_eq!(offered(&mx, &message("sick", &EICAR.concat())).code, 250);
    mx.wait_log(&["milter-discard: END-OF-MESSAGE"]);
    assert_eq!(mx.maildir("bob").messages().len(), 1);
}
