use super::*;

const HANDSHAKE: &[u8] = b"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tCRAM-MD5\tdictionary\tactive\n\
    MECH\tDOVECOT-TOKEN\tprivate\nMECH\tX Y\nSPID\t7\nCUID\t1\nCOOKIE\t00\nDONE\n";

fn ready() -> Machine {
    let mut machine = Machine::new();
    assert_eq!(machine.hello(9), b"VERSION\t1\t0\nCPID\t9\n");
    machine.feed(HANDSHAKE);
    assert_eq!(machine.advance(), Ok(Some(Event::Ready)));
    machine
}

fn request(initial: Option<&'static str>) -> Request<'static> {
    Request {
        mechanism: "PLAIN",
        service: "smtp",
        local: "127.0.0.1",
        remote: "::1\tx",
        secured: true,
        initial,
    }
}

#[test]
fn the_handshake_may_come_in_any_pieces() {
    let mut machine = Machine::new();
    let (last, rest) = HANDSHAKE.split_last().unwrap();
    for byte in rest {
        machine.feed(&[*byte]);
        assert_eq!(machine.advance(), Ok(None));
    }
    machine.feed(&[*last]);
    assert_eq!(machine.advance(), Ok(Some(Event::Ready)));
    let names: Vec<&str> = machine.mechanisms().iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["PLAIN", "CRAM-MD5"], "neither private ones nor what would spoil our reply");
}

#[test]
fn another_version_is_another_protocol() {
    for text in ["VERSION\t9\t1\n", "MECH\tPLAIN\nDONE\n", "VERSION\nDONE\n"] {
        let mut machine = Machine::new();
        machine.feed(text.as_bytes());
        assert_eq!(machine.advance(), Err(Broken::Version), "{text:?}");
    }
}

#[test]
fn a_login() {
    let mut machine = ready();
    let line = String::from_utf8(machine.begin(&request(Some("AGE=")))).unwrap();
    assert_eq!(
        line,
        "AUTH\t1\tPLAIN\tservice=smtp\tnologin\tlip=127.0.0.1\trip=::1\u{1}tx\tsecured\tresp=AGE=\n"
    );
    machine.feed(b"CONT\t1\tVXNlcg==\n");
    assert_eq!(machine.advance(), Ok(Some(Event::Ask("VXNlcg==".into()))));
    assert_eq!(machine.answer("b3Jj"), b"CONT\t1\tb3Jj\n");
    machine.feed(b"OK\t1\tnologin\tuser=o\x01trc\n");
    assert_eq!(machine.advance(), Ok(Some(Event::Accepted { user: Some("o\trc".into()) })));
}

#[test]
fn only_the_login_under_way_is_answered() {
    let mut machine = ready();
    machine.begin(&request(None));
    machine.begin(&request(None));
    machine.feed(
        b"OK\t1\tuser=eve\nnonsense\nOK\n\nOK\tx\tuser=eve\nFAIL\t2\tuser=orc\ttemp\treason=too late\n",
    );
    let refused =
        Event::Refused { user: Some("orc".into()), reason: Some("too late".into()), temporary: true };
    assert_eq!(machine.advance(), Ok(Some(refused)));
    assert_eq!(machine.advance(), Ok(None));
}

#[test]
fn no_server_fills_our_memory() {
    let mut machine = ready();
    machine.feed(&vec![b'x'; LINE + 1]);
    assert_eq!(machine.advance(), Err(Broken::Endless));
    let mut machine = ready();
    machine.begin(&request(None));
    machine.feed("nonsense\n".repeat(STRAY + 1).as_bytes());
    assert_eq!(machine.advance(), Err(Broken::Endless));
    let mut machine = Machine::new();
    machine.feed(b"VERSION\t1\t1\n");
    machine.feed("MECH\tPLAIN\n".repeat(STRAY + 1).as_bytes());
    assert_eq!(machine.advance(), Err(Broken::Endless));
    assert_eq!(machine.mechanisms().len(), MECHANISMS);
}

#[test]
fn options_hide_mechanisms() {
    let machine = ready();
    let allowed = |options: &str| {
        let options = Options::read(options.split(' ').filter(|word| !word.is_empty())).unwrap();
        let mechanisms = machine.mechanisms().iter().filter(|mechanism| options.allow(mechanism));
        mechanisms.map(|it| it.name.as_str()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(allowed(""), "PLAIN CRAM-MD5");
    assert_eq!(allowed("noanonymous noplaintext"), "CRAM-MD5");
    assert_eq!(allowed("NoActive"), "PLAIN");
    assert_eq!(allowed("mutual_auth"), "");
    assert_eq!(Options::read(["noanonymous", "noplain"]), Err("noplain"));
}
