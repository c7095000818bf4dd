use super::*;

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn sqlite_through_the_pool() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (k text, n integer)").unwrap();
    let pool = Pool::new(Target::sqlite(path.to_str().unwrap(), false), Limits::default(), "test");
    // Connections outlive the runtime they were made in, or are replaced.
    for name in ["o'brien", "x'; DROP TABLE t; --"] {
        block(async {
            let insert = Statement::new().text("INSERT INTO t VALUES (").quoted(Some(name)).text(", 7)");
            assert_eq!(pool.query(&insert).await.unwrap().affected, 1);
            let select = Statement::new().text("SELECT n, k FROM t WHERE k = ").quoted(Some(name));
            let answer = pool.query(&select).await.unwrap();
            assert!(answer.is_set);
            assert_eq!((answer.rows[0].get("k"), answer.rows[0].get("n")), (Some(name), Some("7")));
            assert!(pool.query(&Statement::new().text("SELECT nothing")).await.is_err());
        });
    }
    block(async {
        let mut session = pool.session().await.unwrap();
        session.query(&Statement::new().text("BEGIN")).await.unwrap();
        session.query(&Statement::new().text("DELETE FROM t")).await.unwrap();
        drop(session);
        let count = pool.query(&Statement::new().text("SELECT count(*) AS c FROM t")).await.unwrap();
        assert_eq!(count.rows[0].get("c"), Some("2"));
    });
}

#[test]
fn a_server_that_refuses_is_named_and_rests() {
    let target = Target::dovecot(Kind::Mysql, "host=127.0.0.1 port=1 dbname=d user=u password=hush").unwrap();
    let pool = Pool::new(target, Limits::default(), "test");
    block(async {
        let first = pool.query(&Statement::new().text("SELECT 1")).await.unwrap_err().to_string();
        assert!(first.starts_with("connect to mysql server 127.0.0.1: "), "{first}");
        let second = pool.query(&Statement::new().text("SELECT 1")).await.unwrap_err().to_string();
        assert!(second.contains("not asked again"), "{second}");
    });
}
