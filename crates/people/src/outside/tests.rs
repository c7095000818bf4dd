use super::*;
use std::os::unix::fs::PermissionsExt;

fn job(program: Option<PathBuf>, password: &str) -> Job {
    Job {
        program,
        service: "imap".into(),
        user: "joe".into(),
        password: Password::new(password).unwrap(),
        remote: "192.0.2.7".into(),
    }
}

#[test]
fn jobs_and_answers_come_back() {
    for job in [job(None, "secret"), job(Some("/bin/check".into()), "")] {
        let packet = job.encode();
        assert_eq!(Job::decode(&packet).unwrap(), job);
        for length in 0..packet.len() {
            assert!(Job::decode(&packet[..length]).is_err());
        }
    }
    let right: Fields = [("user", "joe"), ("a", "")].into_iter().collect();
    for checked in [
        Ok(Checked::Right(right)),
        Ok(Checked::Wrong),
        Ok(Checked::Unknown),
        Ok(Checked::Disabled),
        Ok(Checked::Expired),
        Err("why".to_owned()),
    ] {
        assert_eq!(decode(&encode(&checked)).unwrap(), checked);
    }
    assert!(decode(b"").is_err());
}

#[test]
fn a_program_answers_by_its_exit_status_and_environment() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("check");
    // Reads descriptor 3 as NUL-divided fields, as any checkpassword does.
    let script = "#!/bin/sh\n\
        set -- \"$@\" $(tr '\\0' ' ' <&3)\n\
        case \"$5 $SERVICE $TCPREMOTEIP\" in\n\
        'secret imap 192.0.2.7') ;;\n 'die imap'*) exit 111 ;;\n *) exit 1 ;;\n esac\n\
        USER=$4@x.org HOME=/home/$4 userdb_uid=5000 EXTRA='userdb_uid userdb_mail' userdb_mail='mbox:~/m'\n\
        export USER HOME userdb_uid EXTRA userdb_mail\n\
        exec \"$1\" \"$2\" \"$3\"\n";
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let ask = |password: &str| ask(&job(Some(program.clone()), password));
    let Checked::Right(fields) = ask("secret").unwrap() else { panic!("it is right") };
    let fields: Vec<_> = fields.iter().collect();
    assert_eq!(
        fields,
        [
            ("user", "joe@x.org"),
            ("userdb_home", "/home/joe"),
            ("userdb_uid", "5000"),
            ("userdb_mail", "mbox:~/m")
        ]
    );
    assert_eq!(ask("wrong").unwrap(), Checked::Wrong);
    let trouble = ask("die").unwrap_err().to_string();
    assert!(trouble.contains("exit status: 111") && !trouble.contains("secret"), "{trouble}");
    let missing = super::ask(&job(Some(folder.path().join("none")), "x"));
    assert!(missing.is_err(), "{missing:?}");
}

#[test]
fn a_program_that_never_ends_or_says_too_much_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    for (name, script, limit) in [
        ("silent", "sleep 600", 1),
        // Its output ends, and it does not.
        ("closed", "exec 4>&-; sleep 600", 1),
        // Something it started goes on with its output.
        ("left", "sleep 600 4>&4 & sleep 600", 1),
        ("endless", "yes >&4", 60),
        ("babble", "printf '\\377\\000=\\000USER' >&4; exit 7", 60),
    ] {
        let program = folder.path().join(name);
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        // More than a pipe holds, which none of them reads.
        let job = job(None, &"hush".repeat(20_000));
        let said = program::check(&program, &job, Duration::from_secs(limit)).unwrap_err();
        assert!(!said.contains("hush"), "{name}: {said}");
    }
}

#[test]
fn a_program_can_be_ended_though_whoever_checks_waits_for_signals() {
    use nix::sys::signal::{SigSet, Signal};
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("check");
    std::fs::write(&program, "#!/bin/sh\nkill -TERM $$\nexec \"$@\"\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    // Of this thread alone, as the process that checks has it from the parent.
    [Signal::SIGTERM, Signal::SIGHUP].into_iter().collect::<SigSet>().thread_block().unwrap();
    assert!(ask(&job(Some(program), "secret")).is_err(), "it died before it said yes");
}
