"""imapclient, as its documentation uses it: address, port, user."""
import sys
from imapclient import IMAPClient

host, port, user = sys.argv[1:]


def connect():
    client = IMAPClient(host, port=int(port), ssl=False, timeout=20)
    client.login(user, "pw")
    return client


def message(subject):
    return f"From: a@b.test\r\nSubject: {subject}\r\nMessage-ID: <{subject}@b.test>\r\n\r\nhello\r\n".encode()


one = connect()
assert one.namespace().personal == (("", "/"),), one.namespace()
one.id_({"name": "imapclient"})
for subject in ["one", "two", "three"]:
    one.append("INBOX", message(subject), flags=[b"\\Seen"] if subject == "one" else [])
selected = one.select_folder("INBOX")
assert selected[b"EXISTS"] == 3 and selected[b"UIDNEXT"] == 4, selected
assert one.search(["UNSEEN"]) == [2, 3] and one.search("SUBJECT two") == [2]
assert one.search(["SUBJECT", "é"], charset="UTF-8") == []
assert one.sort("REVERSE SUBJECT") == [2, 3, 1] and one.thread() == ((1,), (2,), (3,))
fetched = one.fetch([1, 2], ["FLAGS", "ENVELOPE", "BODYSTRUCTURE", "RFC822.SIZE", "INTERNALDATE", "RFC822"])
assert fetched[2][b"ENVELOPE"].subject == b"two" and fetched[1][b"FLAGS"][0] == b"\\Seen", fetched
assert fetched[2][b"RFC822"] == message("two") and fetched[2][b"RFC822.SIZE"] == len(message("two")), fetched
one.create_folder("Größe & mehr")
assert [folder[2] for folder in one.list_folders("", "Gr*")] == ["Größe & mehr"]
one.copy([1], "Größe & mehr")
one.move([2], "Größe & mehr")
assert one.folder_status("Größe & mehr", ["MESSAGES"]) == {b"MESSAGES": 2}
assert b"$x" in one.add_flags([1], [b"\\Flagged", b"$x"])[1]
one.delete_messages([1])
assert (1, b"EXPUNGE") in one.expunge()[1]
one.idle()
other = connect()
other.append("INBOX", message("four"))
told = []
for _ in range(20):
    told += one.idle_check(timeout=1)
    if (2, b"EXISTS") in told:
        break
assert (2, b"EXISTS") in told, told
one.idle_done()
assert one.getacl("INBOX") and one.get_quota_root("INBOX")
one.unselect_folder()
one.rename_folder("Größe & mehr", "x")
one.delete_folder("x")
one.logout()
other.logout()
print("done")
