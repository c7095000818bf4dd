//! c-icap with its virus scanner, which asks clamd.

use std::path::{Path, PathBuf};
use std::process::Command;

use testbed::{Address, Kept, address, neighbour};

use super::clamd::Clamd;
use super::{EICAR, Folder, message, offered, site, start_at};

/// Where Debian has modules of c-icap, by the machine's kind.
fn modules() -> Option<PathBuf> {
    let places = std::fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path().join("c_icap"));
    places
        .into_iter()
        .find(|folder| folder.join("virus_scan.so").exists() && folder.join("clamd_mod.so").exists())
}

fn start(program: &Path, modules: &Path, folder: &Folder, clamd: &Clamd) -> (Kept, Address) {
    let at = address();
    let (root, modules) = (folder.path(""), modules.display());
    let settings = folder.file(
        "c-icap.conf",
        &format!(
            "PidFile {root}pid\nCommandsSocket {root}control\nTimeout 300\nStartServers 1\nMaxServers 1\n\
             MinSpareThreads 1\nMaxSpareThreads 4\nThreadsPerChild 4\nPort {}:{}\nTmpDir {root}\n\
             ModulesDir {modules}\nServicesDir {modules}\nLoadMagicFile /etc/c-icap/c-icap.magic\n\
             ServerLog {root}log\nAccessLog {root}access\nModule common clamd_mod.so\n\
             clamd_mod.ClamdSocket {}\nService antivirus_module virus_scan.so\n\
             ServiceAlias avscan virus_scan?allow204=on&sizelimit=off&mode=simple\n\
             virus_scan.ScanFileTypes TEXT DATA EXECUTABLE ARCHIVE DOCUMENT\nvirus_scan.SendPercentData 5\n\
             virus_scan.MaxObjectSize 200M\nvirus_scan.DefaultEngine clamd\n",
            at.ip(),
            at.port(),
            clamd.socket(),
        ),
    );
    let mut command = Command::new(program);
    command.args(["-N", "-f", &settings]);
    (start_at(&mut command, at), at)
}

#[test]
fn an_icap_server_finds_what_comes_in() {
    let Some([icap, clamd]) = neighbour::installed(["c-icap", "clamd"]) else { return };
    let Some(modules) = modules() else { return neighbour::skip("c-icap has no virus_scan") };
    let clamd = Clamd::start(&clamd);
    let folder = Folder::new();
    let (_icap, at) = start(&icap, &modules, &folder, &clamd);
    let mx = site().set("icap_service", &format!("icap://{}:{}/avscan", at.ip(), at.port())).start();
    mx.send("joe@far.test", &["bob@box.test"], &message("well", "see you on thursday"));
    assert!(mx.maildir("bob").one().contains("Subject: well"));
    let reply = offered(&mx, &message("sick", &EICAR.concat()));
    assert_eq!(reply.code, 554, "{reply:?}");
    assert!(reply.text.contains("5.7.1 message has a virus: Own.Eicar"), "{reply:?}");
    // A service that is not there is a failure, and no verdict.
    let mx = site().set("icap_service", &format!("icap://{}:{}/other", at.ip(), at.port())).start();
    assert_eq!(offered(&mx, &message("well", "x")).code, 451);
    // What it said may be lost when it hangs up at once.
    mx.wait_log(&["warning: ", "the ICAP server"]);
}
