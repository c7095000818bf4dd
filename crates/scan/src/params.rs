//! Parameters of scanners.

conf::params! {
    /// Viruses.
    pub struct Viruses {
        /// The clamd that every message is shown to: `inet:host:port` or `unix:path` (a relative path is below
        /// `queue_directory`). Empty: none. Services with `receive_override_options = no_milters` do not ask it.
        clamd_service: Text = "", own;
        /// What becomes of a message with a virus: `reject`, `quarantine` (held), or `discard`.
        virus_action: Enum("reject", "quarantine", "discard") = "reject", own;
        /// What becomes of a message when clamd fails: `tempfail`, `accept`, or `quarantine` (held).
        clamd_default_action: Enum("tempfail", "accept", "quarantine") = "tempfail", own;
        /// How long connecting to clamd may take, in seconds.
        clamd_connect_timeout: Time(1..) = "10s", own;
        /// How long clamd may take to accept a piece, and to answer, in seconds.
        clamd_timeout: Time(1..) = "120s", own;
        /// Larger messages are not shown to clamd, in bytes; clamd's own limit is StreamMaxLength. 0: no limit.
        clamd_size_limit: Bytes = "25000000", own;
        /// The ICAP server that every message is shown to, besides clamd: `icap://host:port/service` (port 1344 when it
        /// is left out). Empty: none. `virus_action` says what becomes of a message in which it finds something.
        icap_service: Text = "", own;
        /// What becomes of a message when the ICAP server fails: `tempfail`, `accept`, or `quarantine` (held).
        icap_default_action: Enum("tempfail", "accept", "quarantine") = "tempfail", own;
        /// How long connecting to the ICAP server may take, in seconds.
        icap_connect_timeout: Time(1..) = "10s", own;
        /// How long the ICAP server may take to accept a piece, and to answer, in seconds.
        icap_timeout: Time(1..) = "120s", own;
        /// Larger messages are not shown to the ICAP server, in bytes. 0: no limit.
        icap_size_limit: Bytes = "25000000", own;
    }

    /// Spam.
    pub struct Spam {
        /// Who says whether mail from strangers is spam: `facteur` (what was learned, rules, lists), `spamd:inet:host:port`,
        /// `spamd:unix:path`, `rspamd:inet:host:port` or `rspamd:unix:path`. Empty: nobody is asked. Services with
        /// `receive_override_options = no_milters` do not ask.
        spam_check: Text = "", own;
        /// From this score on a message is marked as spam (`X-Spam-Flag: YES`).
        spam_required_score: Text = "5.0", own;
        /// From this score on it is held for the quarantine. Empty: none is.
        spam_quarantine_score: Text = "", own;
        /// From this score on it is refused. Empty: none is.
        spam_reject_score: Text = "", own;
        /// What becomes of a message when nobody can say whether it is spam: `accept`, `tempfail`, or `quarantine`
        /// (held).
        spam_default_action: Enum("accept", "tempfail", "quarantine") = "accept", own;
        /// How much of a message is looked at, in bytes; a spamd or rspamd is shown only messages that are not larger.
        spam_size_limit: Bytes = "524288", own;
        /// How long connecting to a spamd or rspamd may take, in seconds.
        spam_connect_timeout: Time(1..) = "10s", own;
        /// How long a spamd or rspamd may take to accept a piece, and to answer, in seconds.
        spam_timeout: Time(1..) = "60s", own;
        /// Exceptions by client: host name, domain, address or network, as check_client_access has them. The values are
        /// OK (it is not checked), AUTH (not checked when the sender's domain is proven), SPAM (it is spam), a number
        /// of points, or DUNNO.
        spam_client_access_maps: Maps = "", own;
        /// Exceptions by sender: address, domain, or user@, with values as `spam_client_access_maps` has them. Senders
        /// are easily forged: AUTH is better than OK.
        spam_sender_access_maps: Maps = "", own;
        /// Exceptions by recipient, with the same values. A message for several, of whom one has OK, is only marked.
        spam_recipient_access_maps: Maps = "", own;
        /// A file of rules, one a line: points, name, where, /pattern/, what is said of it. They are added to those
        /// that are built in; the same name replaces one.
        spam_rules_file: Path = "", own;
        /// DNS lists of clients, each with its points: `zen.example.net=127.0.0.[2..11]*3`.
        spam_client_lists: List = "", own;
        /// DNS lists of domains that links lead to, each with its points.
        spam_link_lists: List = "", own;
        /// How long DNS lists may take to answer, in seconds. One that does not answer says nothing.
        spam_lists_timeout: Time(1..) = "5s", own;
        /// The file of what was learned.
        spam_database: Path = "$data_directory/spam.sqlite", own;
        /// Who learns when somebody moves mail to his junk mailbox, or from it to another (not to the trash): nobody (`no`),
        /// his own statistics (`user`), or those of the site, too (`site`).
        spam_learn_from_junk: Enum("no", "user", "site") = "user", own;
        /// How much spam and how much other mail must have been learned before words count.
        spam_learn_minimum: Int(1..) = "50", own;
        /// How many words the site remembers.
        spam_site_words: Int(1000..) = "1000000", own;
        /// How many words each user remembers.
        spam_user_words: Int(1000..) = "100000", own;
        /// How long a word is remembered that is not learned again, in days, when room is made.
        spam_word_lifetime: Time(86400..) = "365d", own;
    }

    /// Attached files.
    pub struct AttachedFiles {
        /// What is done with files in messages and inside archives (zip, gz, tar, 7z) by what they are. Looked up are
        /// name:invoice.exe, extension:exe, type:application/x-msdownload, magic:exe, state:encrypted and
        /// state:unreadable, as far as a file has them, in lower case; the results are REJECT, HOLD and DISCARD with an
        /// optional text, OK and DUNNO. Empty: nothing is looked for.
        attachment_checks: Maps = "", own;
        /// How much the archives of a message may unpack to, in bytes.
        attachment_unpack_limit: Bytes = "104857600", own;
        /// How many files of a message are looked at, those inside archives included.
        attachment_files_limit: Int(1..) = "2000", own;
        /// How many archives may be within each other.
        attachment_depth_limit: Int(1..) = "5", own;
        /// What becomes of a message beyond one of these limits: `quarantine` (held), `reject`, `tempfail` or `accept`.
        attachment_limit_action: Enum("quarantine", "reject", "tempfail", "accept") = "quarantine", own;
    }

    /// Mail that is held because of what is in it.
    pub struct Quarantine {
        /// How long mail stays in quarantine before it is removed, in days. 0: until somebody removes it.
        quarantine_lifetime: Time = "30d", own;
        /// The time of day (`07:30`) at which each recipient is mailed a list of what is new in quarantine for him.
        /// Empty: never.
        quarantine_digest_time: Text = "", own;
        /// The language of that list.
        quarantine_digest_language: Enum("english", "french") = "english", own;
        /// Other languages by recipient, or by domain: `english` or `french`.
        quarantine_digest_language_maps: Maps = "", own;
    }
}
