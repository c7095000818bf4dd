use std::os::unix::net::{UnixListener, UnixStream};

use super::*;
use crate::tests::{block_on, content, now, put, report, settings};
use crate::{Fate, Queue, Settlement};

/// Lets everybody list, nobody flush, and the owner of this process do the rest; knows one site.
struct Rules;

impl Policy for Rules {
    fn may(&self, uid: u32, right: Right) -> bool {
        right != Right::Flush && uid == nix::unistd::geteuid().as_raw()
    }

    fn is_flushed(&self, site: &str) -> bool {
        site == "y.test"
    }
}

fn ask(client: &mut Client, request: Request) -> Vec<Answer> {
    let mut answers = Vec::new();
    let hear = &mut |answer| {
        answers.push(answer);
        Ok(())
    };
    client.ask(&request, hear).unwrap();
    answers
}

#[test]
fn a_tool_lists_shows_and_alters() {
    let directory = tempfile::tempdir().unwrap();
    let (queue, _) = Queue::open(settings(directory.path()), now()).unwrap();
    let id = block_on(put(&queue, 2, 5000)).unwrap();
    let fates = vec![(0, Fate::Deferred(report("not now")))];
    queue.settle(&id, Settlement { fates, defer_until: Some(now()), delay_warned: false }).wait().unwrap();
    std::fs::create_dir(directory.path().join("public")).unwrap();
    assert!(Client::connect(directory.path()).is_err());
    let listener = UnixListener::bind(directory.path().join(SOCKET)).unwrap();
    let served = queue.clone();
    let server = std::thread::spawn(move || serve(&served, &Rules, listener.accept().unwrap().0));
    let mut client = Client::connect(directory.path()).unwrap();

    let envelope = Envelope { sender: "s@x.test".into(), ..Envelope::default() };
    let dropped = crate::Submission {
        envelope,
        open: crate::submission::Open::default(),
        content: Bytes::from_static(b"x\n"),
    };
    let maildrop = directory.path().join("maildrop");
    std::fs::create_dir_all(&maildrop).unwrap();
    let file = crate::maildrop::write(&maildrop, &dropped, now()).unwrap();
    // Answers tell microseconds, file systems more.
    let whole = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    std::fs::File::open(file).unwrap().set_modified(whole).unwrap();
    let dropped = crate::maildrop::list(&maildrop).remove(0);
    assert_eq!(
        ask(&mut client, Request::List)[..],
        [Answer::Dropped(dropped), Answer::Summary(queue.list(None, 1)[0].clone()), Answer::Done]
    );
    let answers = ask(&mut client, Request::Show(id.clone()));
    let Answer::Message(shown) = &answers[0] else { panic!("{answers:?}") };
    assert_eq!((shown.size, shown.state, &shown.done[..]), (5000, State::Deferred, &[false, false][..]));
    let pieces = answers.iter().filter_map(|answer| match answer {
        Answer::Content(piece) => Some(piece.to_vec()),
        _ => None,
    });
    assert_eq!(pieces.flatten().collect::<Vec<u8>>(), content(&id, 5000));
    let denied = ask(&mut client, Request::Flush(Flush::All));
    assert!(matches!(denied[..], [Answer::Refused(Reason::Denied, _)]));
    let all = Selection::All(State::ALL.to_vec());
    let altered = ask(&mut client, Request::Alter(Alteration::Delete, all));
    assert_eq!(altered, [Answer::Altered(vec![id.clone()]), Answer::Done]);
    assert!(matches!(ask(&mut client, Request::Show(id))[..], [Answer::Refused(Reason::NotFound, _)]));
    drop(client);
    server.join().unwrap().unwrap();
}

#[test]
fn only_known_sites_are_flushed() {
    let directory = tempfile::tempdir().unwrap();
    let (queue, _) = Queue::open(settings(directory.path()), now()).unwrap();
    struct Anybody;
    impl Policy for Anybody {
        fn may(&self, _: u32, right: Right) -> bool {
            right == Right::Flush
        }
        fn is_flushed(&self, site: &str) -> bool {
            site == "y.test"
        }
    }
    for (site, done) in [("y.test", true), ("z.test", false)] {
        let mut last = None;
        let tell = &mut |answer| {
            last = Some(answer);
            Ok(())
        };
        perform(&queue, &Anybody, 1, Request::Flush(Flush::Site(site.into())), tell).unwrap();
        assert_eq!(last == Some(Answer::Done), done, "{site}");
    }
}

#[test]
fn nonsense_ends_the_connection() {
    let directory = tempfile::tempdir().unwrap();
    let (queue, _) = Queue::open(settings(directory.path()), now()).unwrap();
    for nonsense in [&[255, 255, 255, 255][..], &[1, 0, 0, 0, 99], &[2, 0, 0, 0, 1, 1], &[9, 0, 0, 0, 1]] {
        let (mut tool, program) = UnixStream::pair().unwrap();
        std::io::Write::write_all(&mut tool, nonsense).unwrap();
        drop(tool);
        assert!(serve(&queue, &Rules, program).is_err(), "{nonsense:?}");
    }
    let request = Request::Alter(Alteration::Expire, Selection::All(vec![State::Hold]));
    let bytes = request.encode();
    assert_eq!(Request::decode(&bytes), Some(request));
    assert!((0..bytes.len()).all(|len| Request::decode(&bytes[..len]).is_none()));
}
