//! What every back end has to do: one named test a clause, and each clause for each back end.
#![allow(clippy::unwrap_used, reason = "a test may fail that way")]

mod batch;
mod commits;
mod model;
mod objects;
mod observers;
mod prefixes;
mod staging;
mod trees;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use super::{Child, Condition, Durability, Key, Storage, s3::tests::Gateway};

macro_rules! conformance {
    ($($part:ident: $($clause:ident)*;)*) => {
        mod memory {
            $($(
                #[tokio::test]
                async fn $clause() {
                    super::$part::$clause(&super::Storage::memory()).await;
                }
            )*)*
        }

        mod filesystem {
            $($(
                #[tokio::test]
                async fn $clause() {
                    let directory = tempfile::tempdir().unwrap();
                    super::$part::$clause(&super::on_disk(&directory).await).await;
                }
            )*)*
        }

        mod s3 {
            #[tokio::test]
            #[ignore = "needs versitygw: run ./test"]
            async fn every_clause_of_a_bucket_needs_versitygw() {
                let gateway = super::Gateway::start().await;
                $($(
                    if !super::NOT_IN_A_BUCKET.contains(&stringify!($clause)) {
                        println!("{}", stringify!($clause));
                        Box::pin(super::$part::$clause(&gateway.storage(stringify!($clause)))).await;
                    }
                )*)*
            }
        }
    };
}

conformance! {
    objects:
        what_is_put_can_be_read
        an_empty_object_is_an_object
        there_is_nothing_at_first
        a_put_replaces
        a_put_if_absent_refuses_what_is_there
        each_write_has_its_version
        a_put_if_version_refuses_a_changed_object
        one_of_many_puts_if_version_wins
        every_increment_by_version_counts
        one_of_many_puts_if_absent_wins
        a_read_has_a_limit
        an_open_object_keeps_its_bytes
        ranges_are_streamed_in_small_pieces
        a_range_beyond_the_end_fails
        a_deleted_object_is_gone
        a_prefix_is_no_object
        nothing_goes_below_an_object
        a_rename_moves_over_what_is_there
        a_rename_of_nothing_fails
        a_rename_replaces_no_prefix
        a_long_name_is_no_object
        a_touch_dates_what_is_there
        a_store_that_works_can_be_probed;
    prefixes:
        children_come_in_byte_order
        a_listing_goes_on_after_a_name
        made_prefixes_are_seen
        empty_prefixes_go_in_order
        removal_stops_at_what_is_full
        a_prefix_stays_when_its_objects_go;
    batch:
        many_answers_come_in_order
        one_failure_among_many_is_one
        many_trees_go_nonblocking
        many_objects_go_in_one_call
        children_of_many_are_those_of_each
        a_few_children_are_any_of_them;
    trees:
        a_tree_appears_whole
        the_first_key_of_a_tree_stands_for_all
        a_tree_takes_the_place_of_an_empty_prefix
        a_tree_refuses_what_is_there
        a_tree_replaces_no_object
        a_deleted_tree_is_gone
        an_object_is_no_tree;
    commits:
        a_commit_does_all_its_steps
        a_commit_makes_prefixes
        a_commit_ends_at_what_fails
        content_after_a_failed_step_is_gone
        a_record_is_stored_with_the_first_step
        so_many_can_be_staged_and_no_more;
    staging:
        staged_content_is_stored
        nothing_is_content_too
        appends_go_on
        many_small_pieces_are_one_content
        large_content_is_hashed_as_it_is_stored
        content_ends_with_either_algorithm
        a_promotion_replaces
        what_came_before_a_failed_body_is_kept
        report_p12_staged_content_goes_back_to_its_last_sync
        a_dropped_append_leaves_a_whole_prefix
        an_append_after_a_dropped_one_goes_on
        staged_content_can_be_taken_up
        what_was_synced_can_be_taken_up
        what_is_held_can_not_be_taken_up
        a_taken_key_can_not_be_staged
        a_prefix_can_not_be_staged
        aborted_content_is_gone
        content_of_another_digest_is_discarded
        report_p12_content_of_another_digest_goes_on
        staged_content_is_seen
        what_nobody_holds_can_expire;
    observers:
        each_action_is_reported_once
        a_failed_action_is_reported_as_failed;
}

/// What a bucket can't do, or does otherwise, and no rule of the registry needs.
const NOT_IN_A_BUCKET: [&str; 15] = [
    // There are no prefixes without objects, and objects may lie under the keys of others.
    "made_prefixes_are_seen",
    "empty_prefixes_go_in_order",
    "removal_stops_at_what_is_full",
    "a_prefix_stays_when_its_objects_go",
    "a_prefix_is_no_object",
    "nothing_goes_below_an_object",
    "a_rename_replaces_no_prefix",
    "a_tree_replaces_no_object",
    "a_prefix_can_not_be_staged",
    "a_commit_makes_prefixes",
    "content_after_a_failed_step_is_gone",
    "a_record_is_stored_with_the_first_step",
    // A staged object is as it was at its last sync, and its state is stored with it.
    "staged_content_can_be_taken_up",
    "staged_content_is_seen",
    // An object has the time of its last write.
    "a_touch_dates_what_is_there",
];

async fn on_disk(directory: &tempfile::TempDir) -> Storage {
    Storage::filesystem(directory.path(), Durability::Full).await.unwrap()
}

fn key(text: &str) -> Key {
    let mut components = text.split('/');
    let first = Key::new(components.next().unwrap());
    components.fold(first, |key, component| key.join(component))
}

async fn put(storage: &Storage, at: &str, bytes: &'static str) {
    storage.put(&key(at), Bytes::from(bytes), Condition::Any).await.unwrap();
}

async fn read(storage: &Storage, at: &str) -> Option<String> {
    let bytes = storage.read(&key(at), 1 << 20).await.unwrap()?;
    Some(String::from_utf8(bytes.to_vec()).unwrap())
}

/// `name` for an object, `name/` for a prefix.
async fn children(storage: &Storage, at: &str) -> Vec<String> {
    let children = storage.children(&key(at)).await.unwrap();
    children.into_iter().map(|Child { name, is_prefix }| if is_prefix { name + "/" } else { name }).collect()
}

fn body(pieces: &[&'static str]) -> impl futures_util::Stream<Item = Result<Bytes, &'static str>> + Unpin + use<> {
    stream::iter(pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes()))).collect::<Vec<_>>())
}

async fn collect(stream: impl futures_util::Stream<Item = std::io::Result<Bytes>> + Unpin) -> std::io::Result<Vec<u8>> {
    let pieces: Vec<_> = stream.collect().await;
    let pieces: std::io::Result<Vec<Bytes>> = pieces.into_iter().collect();
    Ok(pieces?.concat())
}
