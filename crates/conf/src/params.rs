//! Parameters that more than one room reads: who this machine is, where its files lie, how it logs and runs.
//!
//! A list of like things, and long for that reason: one paragraph a parameter.

crate::params! {
    /// Who this machine is, and for whom it answers.
    pub struct Site {
        /// The full internet name of this machine; by default what the system calls it.
        ///
        /// Many other settings start from it. A name without a dot is completed with `mydomain`.
        myhostname: Text = "";
        /// The local internet domain; by default `myhostname` without its first label.
        mydomain: Text = "";
        /// The domain given to local senders and to recipients written without one.
        ///
        /// A value that starts with `/` names a file whose first line is the domain.
        myorigin: Text = "$myhostname";
        /// The domains whose mail ends on this machine, in the accounts and aliases of the local agent.
        mydestination: List = "$myhostname, localhost.$mydomain, localhost";
        /// The client networks that are trusted more than strangers, above all to relay.
        ///
        /// By default worked out from `mynetworks_style` and the addresses of this machine.
        mynetworks: List = "";
        /// How wide the default of `mynetworks` reaches: this host, its subnets, or its address classes.
        mynetworks_style: Enum("class", "subnet", "host")
            = "${{$compatibility_level} <level {2} ? {subnet} : {host}}";
        /// The local addresses on which mail is received: `all`, `loopback-only`, or host names and
        /// addresses.
        inet_interfaces: List = "all";
        /// Further addresses under which the world reaches us, such as those of a NAT or proxy in front.
        ///
        /// They count as our own when mail exchangers are compared, which prevents loops.
        proxy_interfaces: List = "";
        /// The internet protocols used for listening and connecting: `all`, `ipv4`, `ipv6`, or both.
        inet_protocols: List = "all";
        /// The characters that may stand between a user name and an address extension, as in `user+ext`.
        recipient_delimiter: Text = "";
        /// The Postfix release whose defaults apply, for settings whose default changed over the years.
        compatibility_level: Text = "0";
        /// The name of the mail system, shown in greetings, Received headers and notices.
        mail_name: Text = "Postfix";
        /// The version of the language of main.cf spoken here, for `$mail_version`.
        mail_version: Text = "3.7.11";
        /// The day of that version, as YYYYMMDD.
        mail_release_date: Text = "20240304",
            no_effect "nothing prints it";
        /// The match lists in which `example.com` also stands for every name below it.
        parent_domain_matches_subdomains: List = "debug_peer_list,fast_flush_domains,mynetworks,\
            permit_mx_backup_networks,qmqpd_authorized_clients,relay_domains,smtpd_access_maps";
        /// Whether addresses and headers in UTF-8 are accepted, announced and passed on (RFC 6531).
        smtputf8_enable: YesNo = "${{$compatibility_level} <level {1} ? {no} : {yes}}";
        /// Whether domain names are converted by the older IDNA 2003 rules instead of those of 2008.
        enable_idna2003_compatibility: YesNo = "no",
            no_effect "domains are converted by UTS 46 without transitional processing";
        /// Whether every permanent refusal and bounce is turned into a temporary one, for tests of a new
        /// setup.
        soft_bounce: YesNo = "no";
        /// Names of TCP services known without asking the system, as `name=port` or `name=name=port`.
        known_tcp_ports: List = "lmtp=24, smtp=25, smtps=submissions=465, submission=587";
        /// Not empty while a service is overloaded; conditional values such as `${stress?{1}:{20}}` look at
        /// it.
        stress: Text = "";
        /// Whether hints about settings that are likely mistakes are logged.
        helpful_warnings: YesNo = "yes";
    }
}

crate::params! {
    /// Where log lines go and how much they say.
    pub struct Logging {
        /// The file that receives the log; empty means syslog, `/dev/stdout` the standard output.
        maillog_file: Path = "";
        /// The directories and names below which `maillog_file` may lie.
        maillog_file_prefixes: List = "/var, /dev/stdout";
        /// The program that compresses a log file after `postfix logrotate`.
        maillog_file_compressor: Text = "gzip",
            no_effect "`postfix logrotate` opens the file again; let logrotate(8) move and compress it";
        /// What `postfix logrotate` appends to the name of the old file, in the notation of strftime.
        maillog_file_rotate_suffix: Text = "%Y%m%d-%H%M%S",
            no_effect "`postfix logrotate` opens the file again; let logrotate(8) move and compress it";
        /// The syslog facility under which lines are sent.
        syslog_facility: Enum("auth", "authpriv", "cron", "daemon", "ftp", "kern", "lpr", "mail", "news",
            "security", "syslog", "user", "uucp", "local0", "local1", "local2", "local3", "local4",
            "local5", "local6", "local7") = "mail";
        /// The first part of the program name in every line: `postfix` gives `postfix/smtpd`.
        syslog_name: Text = "${multi_instance_name?{$multi_instance_name}:{postfix}}";
        /// Whether addresses in informative lines are written quoted (`external`) or bare (`internal`).
        info_log_address_format: Enum("external", "internal") = "external",
            no_effect "addresses are logged in their external form";
        /// How many digits after the point the delays of a delivery are logged with.
        delay_logging_resolution_limit: Int(0..=6) = "2";
        /// By how much logging gets more detailed for the peers of `debug_peer_list`.
        debug_peer_level: Int(1..) = "2",
            no_effect "of the peers of `debug_peer_list` all that is said is logged";
        /// Hosts, networks and domains: all that is said in SMTP sessions with them is logged, but for logins.
        debug_peer_list: List = "";
        /// Whether log lines say allowlist and denylist where old releases said whitelist and blacklist.
        respectful_logging: YesNo = "${{$compatibility_level} <level {3.6} ? {no} : {yes}}",
            no_effect "the log always uses the newer words";
        /// The master.cf entry of the log writer.
        postlog_service_name: Text = "postlog", no_effect "the log writer is a part of the program";
        /// How long the log writer may stand still, in seconds, before it is ended.
        postlogd_watchdog_timeout: Time = "10s", no_effect "the log writer is a part of the program";
    }
}

crate::params! {
    /// Where the files of this instance lie.
    pub struct Paths {
        /// The directory of main.cf and master.cf.
        config_directory: Path = "";
        /// The directory of the queue; relative names in other settings start here.
        queue_directory: Path = "/var/spool/postfix";
        /// A directory that `mail_owner` may write to, for caches and other memory between starts.
        data_directory: Path = "/var/lib/postfix";
        /// The directory, below `queue_directory` unless absolute, of the files with process numbers.
        process_id_directory: Path = "pid";
        /// Where Postfix keeps its commands.
        command_directory: Path = "/usr/sbin", no_effect "all commands are links to one program";
        /// Where Postfix keeps its daemons.
        daemon_directory: Path = "/usr/lib/postfix/sbin", no_effect "all services are parts of one program";
        /// Where Postfix keeps the lists of its own files.
        meta_directory: Path = "/etc/postfix", no_effect "there is one file to install, so no list of files";
        /// Where Postfix keeps its shared libraries.
        shlib_directory: Path = "/usr/lib/postfix", no_effect "there are no libraries to load";
        /// Where the manual lies as HTML.
        html_directory: Path = "/usr/share/doc/postfix/html", no_effect "only Postfix's installer reads it";
        /// Where the manual pages lie.
        manpage_directory: Path = "/usr/share/man", no_effect "only Postfix's installer reads it";
        /// Where the README files lie.
        readme_directory: Path = "/usr/share/doc/postfix", no_effect "only Postfix's installer reads it";
        /// Where sample files lie.
        sample_directory: Path = "/etc/postfix", no_effect "only Postfix's installer reads it";
        /// The place of the sendmail command.
        sendmail_path: Path = "/usr/sbin/sendmail",
            no_effect "`facteur install-links` is told where to put links";
        /// The place of the newaliases command.
        newaliases_path: Path = "/usr/bin/newaliases",
            no_effect "`facteur install-links` is told where to put links";
        /// The place of the mailq command.
        mailq_path: Path = "/usr/bin/mailq", no_effect "`facteur install-links` is told where to put links";
        /// Directories that set-gid commands may be pointed to with `-c`.
        alternate_config_directories: List = "",
            no_effect "no command here runs with more rights than its caller, so `-c` may name any directory";
    }
}

crate::params! {
    /// As whom the program runs, how much of it at once, and with what environment.
    pub struct Process {
        /// The account that owns the queue and runs everything that needs no other rights.
        mail_owner: Text = "postfix";
        /// The group that may hand in mail while the program is down.
        setgid_group: Text = "postdrop";
        /// How many sessions or deliveries a service may run at once when master.cf says nothing.
        default_process_limit: Int(1..) = "100";
        /// Services of master.cf that are not started, as `name/type`, `type`, or a list of these.
        master_service_disable: List = "";
        /// Variables kept from the environment at start, as `NAME` or `NAME=value`.
        import_environment: List = "MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ XAUTHORITY DISPLAY LANG=C \
            POSTLOG_SERVICE POSTLOG_HOSTNAME";
        /// Variables that commands started for a delivery inherit, as `NAME` or `NAME=value`.
        export_environment: List = "TZ MAIL_CONFIG LANG";
        /// The number of the process, for use in other values.
        process_id: Text = "";
        /// The name of the program or applet, for use in other values.
        process_name: Text = "";
        /// The name of the service in master.cf, for use in other values.
        service_name: Text = "";
        /// After how many requests a Postfix daemon ends itself.
        max_use: Int(1..) = "100", no_effect "services are tasks that end with their session";
        /// How long an idle Postfix daemon waits, in seconds, before it ends itself.
        max_idle: Time(1..) = "100s", no_effect "services are tasks that end with their session";
        /// How long an internal connection may be idle, in seconds.
        ipc_idle: Time(1..) = "5s", no_effect "there are no connections between parts of one program";
        /// How long an internal request may take, in seconds.
        ipc_timeout: Time(1..) = "3600s", no_effect "there are no connections between parts of one program";
        /// How long an internal connection is kept at most, in seconds.
        ipc_ttl: Time(1..) = "1000s", no_effect "there are no connections between parts of one program";
        /// How long a daemon may work on one request, in seconds, before a watchdog ends it.
        daemon_timeout: Time(1..) = "18000s",
            no_effect "every wait has its own time limit instead of a watchdog";
        /// How often starting a process is tried.
        fork_attempts: Int(1..) = "5",
            no_effect "a child that cannot be started is a temporary failure at once";
        /// How long to wait, in seconds, before starting a process is tried again.
        fork_delay: Time(1..) = "1s",
            no_effect "a child that cannot be started is a temporary failure at once";
        /// How long master waits, in seconds, before it starts a failing service again.
        service_throttle_time: Time = "60s", no_effect "services are tasks; one that fails ends one session";
        /// How long a wake-up message to a service may take, in seconds.
        trigger_timeout: Time(1..) = "10s", no_effect "a wake-up inside one program takes no time";
        /// How long an ending daemon serves what has already been sent to it, in seconds.
        application_event_drain_time: Time(1..) = "100s",
            no_effect "there are no connections between parts of one program";
        /// The command that attaches a debugger to a service started with `-D`.
        debugger_command: Text = "", no_effect "services are not processes; attach to the program itself";
        /// Which artificial fault Postfix's own tests provoke.
        fault_injection_code: Int = "0", no_effect "our tests bring their own faults";
        /// Whether finished queue files are kept for inspection.
        dont_remove: Int = "0", no_effect "the journal keeps what `facteur trace` shows, not whole messages";
    }
}

crate::params! {
    /// Several instances side by side, managed by `postmulti`.
    pub struct Instances {
        /// The configuration directories of the other instances on this machine.
        multi_instance_directories: List = "";
        /// Whether `postfix start` through the instance manager starts this instance.
        multi_instance_enable: YesNo = "no";
        /// The group of instances this one belongs to.
        multi_instance_group: Text = "";
        /// The name of this instance; it also becomes its name in the log.
        multi_instance_name: Text = "";
        /// The command that `postfix` hands its arguments to in order to treat all instances alike.
        multi_instance_wrapper: Text = "";
        /// The `postfix` commands that go to every instance, in order, whether it is enabled or not.
        postmulti_control_commands: List = "reload flush";
        /// The `postfix` commands that start instances: only enabled ones get them, in order.
        postmulti_start_commands: List = "start";
        /// The `postfix` commands that stop instances: all get them, in reverse order.
        postmulti_stop_commands: List = "stop abort drain quick-stop";
    }
}
