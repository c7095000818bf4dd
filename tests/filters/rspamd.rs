//! rspamd as a milter: its proxy worker in milter mode.

use std::process::Command;

use nix::unistd::User;
use testbed::{address, neighbour};

use super::{Folder, GTUBE, message, offered, site, start_at};

#[test]
fn rspamd_judges_as_a_milter() {
    let Some([rspamd]) = neighbour::installed(["rspamd"]) else { return };
    let (folder, at) = (Folder::new(), address());
    let nobody = User::from_name("nobody")
        .expect("users can be asked for")
        .filter(|_| nix::unistd::getuid().is_root());
    let own = folder.folder("own", nobody.as_ref(), 0o755);
    let settings = folder.file(
        "rspamd.conf",
        &format!(
            "options {{ pidfile = \"{own}/pid\"; filters = \"\"; disable_hyperscan = true; tempdir = \"{own}\"; }}\n\
             logging {{ type = \"console\"; level = \"error\"; }}\n\
             worker {{ type = \"rspamd_proxy\"; bind_socket = \"{}:{}\"; count = 1; milter = yes; timeout = 120s;\n\
                       upstream \"local\" {{ default = yes; self_scan = yes; }} }}\n",
            at.ip(),
            at.port()
        ),
    );
    let mut command = Command::new(rspamd);
    command.args(["-f", "-c", &settings]);
    if nobody.is_some() {
        command.args(["-u", "nobody", "-g", "nogroup"]);
    }
    let _rspamd = start_at(&mut command, at);
    // The lines of its documentation.
    let mx = site()
        .set("smtpd_milters", &format!("inet:{}:{}", at.ip(), at.port()))
        .set("milter_protocol", "6")
        .set("milter_mail_macros", "i {mail_addr} {client_addr} {client_name} {auth_authen}")
        .set("milter_default_action", "tempfail")
        .start();
    mx.send("joe@far.test", &["bob@box.test"], &message("well", "see you on thursday"));
    assert!(mx.maildir("bob").one().contains("Subject: well"));
    let reply = offered(&mx, &message("offer", &GTUBE.concat()));
    assert_eq!((reply.code, reply.text.contains("5.7.1")), (554, true), "{reply:?}");
    mx.wait_log(&["milter-reject: END-OF-MESSAGE", "Gtube"]);
}
