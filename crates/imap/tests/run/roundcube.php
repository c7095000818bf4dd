<?php
// Roundcube's own library for IMAP, in the order of its pages: address, port, user, configuration directory.
error_reporting(E_ERROR | E_PARSE);
define('INSTALL_PATH', '/usr/share/roundcube/');
[, $host, $port, $user, $configuration] = $argv;
define('RCUBE_CONFIG_DIR', "$configuration/");
$_SERVER['REQUEST_URI'] = '/';
require_once INSTALL_PATH . 'program/lib/Roundcube/bootstrap.php';
rcube::get_instance(0);

function check($right, $what) {
    if (!$right) {
        fwrite(STDERR, "wrong: $what\n");
        exit(1);
    }
}
function message($subject, $more = '') {
    return "From: a@b.test\r\nTo: x@b.test\r\nSubject: $subject\r\nMessage-ID: <$subject@b.test>\r\n$more\r\nhello $subject\r\n";
}
function save($imap, $text, $flags = []) {
    return $imap->save_message('INBOX', $text, '', false, $flags);
}

$imap = new rcube_imap();
$imap->set_options(['port' => (int) $port, 'timeout' => 20]);
check($imap->connect($host, $user, 'pw', (int) $port, null), 'login: ' . $imap->get_error_str());
check($imap->get_hierarchy_delimiter() === '/', 'delimiter');
check($imap->get_namespace('personal') == [['', '/']], 'namespace');
check(in_array('INBOX', $imap->list_folders('', '*')), 'list');
check($imap->create_folder('Archive/2024', true), 'create');
check(in_array('Archive/2024', $imap->list_folders_subscribed('', '*')), 'subscribed');
$mixed = "References: <one@b.test>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
    . "Content-Type: text/plain\r\n\r\nhello parts\r\n--b\r\nContent-Type: application/octet-stream; name=x\r\n"
    . "Content-Disposition: attachment; filename=x\r\nContent-Transfer-Encoding: base64\r\n\r\nAAECAwQ=\r\n--b--\r\n";
check(save($imap, message('one'), ['SEEN']) === '1', 'append');
check(save($imap, message('two', $mixed)) === '2' && save($imap, message('three')) === '3', 'append more');
$imap->set_folder('INBOX');
check($imap->count('INBOX', 'ALL', true) == 3 && $imap->count('INBOX', 'UNSEEN', true) == 2, 'count');
check($imap->index('INBOX', 'subject', 'ASC')->get() == [1, 3, 2], 'sort by subject');
$list = $imap->list_messages('INBOX', 1, 'arrival', 'DESC');
check(array_map(fn ($one) => $one->subject, array_values($list)) == ['three', 'two', 'one'], 'list of messages');
check($list[0]->flags === ['RECENT' => true] && end($list)->flags['SEEN'] === true, 'flags');
check($imap->set_threading('REFERENCES'), 'threads');
check(count($imap->list_messages('INBOX', 1)) == 3, 'list of threads');
$imap->set_threading(false);
check($imap->search('INBOX', 'HEADER SUBJECT three', 'UTF-8', 'date')->get() == [3], 'search');
$umlaut = "OR HEADER FROM {2}\r\n\xc3\xa9 TEXT {11}\r\nhello parts";
check($imap->search('INBOX', $umlaut, 'UTF-8', 'date')->get() == [2], 'search with literals');
$imap->set_search_set(null);
$two = $imap->get_message(2, 'INBOX');
check($two->structure->mimetype === 'multipart/mixed' && count($two->structure->parts) == 2, 'structure');
check($imap->get_message_part(2, '1', $two->structure->parts[0]) === 'hello parts', 'text');
check($imap->get_message_part(2, '2', $two->structure->parts[1]) === "\0\1\2\3\4", 'attachment');
check($imap->get_raw_body(1) === message('one'), 'source');
check($imap->set_flag([2, 3], 'FLAGGED'), 'flag');
check($imap->copy_message([1], 'Archive/2024', 'INBOX'), 'copy');
check($imap->move_message([3], 'Archive/2024', 'INBOX'), 'move');
check($imap->count('INBOX', 'ALL', true) == 2 && $imap->count('Archive/2024', 'ALL', true) == 2, 'moved');
check($imap->delete_message([1], 'INBOX') && $imap->count('INBOX', 'ALL', true) == 1, 'delete');
check($imap->rename_folder('Archive/2024', 'Archive/2025'), 'rename');
check(in_array('Archive/2025', $imap->list_folders_subscribed('', '*')), 'subscribed after it');
check(in_array('a', $imap->my_rights('INBOX')) && $imap->set_acl('Archive/2025', 'bob', 'lrs'), 'rights');
check($imap->get_acl('Archive/2025')['bob'] == ['l', 'r', 's'], 'rights of others');
check($imap->set_metadata('INBOX', ['/private/comment' => 'words']), 'annotate');
check($imap->get_metadata('INBOX', ['/private/comment']) == ['INBOX' => ['/private/comment' => 'words']], 'annotation');
check($imap->clear_folder('Archive/2025') && $imap->delete_folder('Archive/2025'), 'delete a folder');
// What its cache asks: only what has changed, and what is gone.
$wire = $imap->conn;
check($wire->enable('QRESYNC') !== false && $wire->select('INBOX'), 'QRESYNC');
[$validity, $seen] = [$wire->data['UIDVALIDITY'], $wire->data['HIGHESTMODSEQ']];
check(save($imap, message('four')) === '4' && $wire->flag('INBOX', '4', 'SEEN'), 'something new');
check($imap->delete_message([2], 'INBOX') && $wire->close(), 'something gone');
check($wire->select('INBOX', [$validity, $seen]) && $wire->data['VANISHED'] === '2', 'vanished: ' . json_encode($wire->data['VANISHED']));
$changed = $wire->fetch('INBOX', '1:10', true, ['FLAGS'], $seen, true);
check(count($changed) == 1 && current($changed)->uid == 4, 'changed: ' . json_encode($changed));
$imap->close();
print "done\n";
