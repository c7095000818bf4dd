//! Security list, item 22. Journals that were cut or damaged.

use std::path::Path;
use std::sync::Arc;

use mail::QueueId;

use super::ramdisk::RamDisk;
use super::{block_on, content, open, put};
use crate::disk::Disk;
use crate::{Fate, Settlement};

/// A small journal of one segment: five messages, the fourth already gone.
fn journal() -> (RamDisk, Vec<QueueId>, Vec<usize>) {
    let ram = RamDisk::default();
    let disk: Arc<dyn Disk> = Arc::new(ram.clone());
    let (queue, _) = open(&disk).unwrap();
    let mut ids = Vec::new();
    let mut ends = Vec::new();
    block_on(async {
        for n in 0..5 {
            ids.push(put(&queue, 1, 40 + n).await.unwrap());
            let end = queue.shared().lock().index.segments[&1].len;
            ends.push(end as usize);
        }
        queue.settle(&ids[3], Settlement::fates(vec![(0, Fate::Done)])).await.unwrap();
    });
    drop(queue);
    (ram, ids, ends)
}

const SEGMENT: &str = "/q/journal/0000000001";

fn damaged(bytes: &[u8]) -> (RamDisk, Arc<dyn Disk>) {
    let ram = RamDisk::default();
    let disk: Arc<dyn Disk> = Arc::new(ram.clone());
    drop(open(&disk).unwrap());
    disk.create(Path::new(SEGMENT)).unwrap();
    ram.overwrite(Path::new(SEGMENT), bytes);
    (ram, disk)
}

#[test]
fn a_journal_cut_anywhere_keeps_what_was_before() {
    let (ram, ids, ends) = journal();
    let bytes = ram.bytes(Path::new(SEGMENT));
    for len in 0..=bytes.len() {
        let (_, disk) = damaged(&bytes[..len]);
        let (queue, recovered) = open(&disk).unwrap();
        assert!(recovered.damaged.is_empty(), "cut at {len}: {:?}", recovered.damaged);
        for (n, (id, end)) in ids.iter().zip(&ends).enumerate() {
            let there = len >= *end && (n != 3 || len < bytes.len());
            assert_eq!(queue.load(id).is_ok(), there, "cut at {len}: message {n}");
        }
        // And it can be written again.
        block_on(put(&queue, 1, 10)).unwrap();
        drop(queue);
        assert_eq!(open(&disk).unwrap().1.cut, 0);
    }
}

#[test]
fn a_damaged_byte_costs_one_record_at_most() {
    let (ram, ids, ends) = journal();
    let bytes = ram.bytes(Path::new(SEGMENT));
    for at in 0..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x5a;
        let (ram, disk) = damaged(&bytes);
        let (queue, recovered) = open(&disk).unwrap();
        let lost: Vec<usize> = (0..5).filter(|n| *n != 3 && queue.load(&ids[*n]).is_err()).collect();
        let hit = ends.iter().position(|end| at < *end);
        match hit {
            // The header of the segment can be done without.
            _ if at < 32 => assert!(lost.is_empty(), "byte {at}: lost {lost:?}"),
            Some(3) | None => assert!(lost.is_empty(), "byte {at}: lost {lost:?}"),
            Some(n) => {
                assert_eq!(lost, [n], "byte {at}");
                assert_eq!(recovered.damaged.len(), 1, "byte {at}");
                let aside = recovered.damaged[0].set_aside.as_ref().expect("set aside");
                let start = if n == 0 { 32 } else { ends[n - 1] };
                assert_eq!(ram.bytes(aside), bytes[start..ends[n]], "byte {at}");
            }
        }
        for n in [0, 1, 2, 4] {
            if let Ok(stored) = queue.load(&ids[n]) {
                assert_eq!(stored.body.bytes().unwrap(), content(&ids[n], 40 + n));
            }
        }
    }
}

#[test]
fn content_that_looks_like_a_frame_is_content() {
    // A copy of a whole journal, header and frames, within a message of another journal.
    let (ram, ids, _) = journal();
    let bytes = ram.bytes(Path::new(SEGMENT));
    let disk: Arc<dyn Disk> = Arc::new(RamDisk::default());
    let (queue, _) = open(&disk).unwrap();
    let id = queue.new_id(super::now());
    let draft = super::draft(&queue, &bytes[..900.min(bytes.len())]).unwrap();
    block_on(queue.put(id.clone(), draft, super::envelope(1), crate::Entry::at(super::now()))).unwrap();
    drop(queue);
    let (queue, _) = open(&disk).unwrap();
    assert_eq!(queue.briefs(None, 10).len(), 1);
    assert!(queue.load(&ids[0]).is_err() || ids[0] == id);
}
