use super::{Source, pictures, questioner::Questioner, video};

/// Asks about one source after the other.
pub(super) async fn ask_on(mut source: Source, mut questioner: Questioner) {
    loop {
        match source {
            Source::Video(turns) => video::ask_on(turns, &mut questioner).await,
            Source::Pictures(pictures) => pictures::ask_on(pictures, &mut questioner).await,
            Source::Nothing => {}
        }
        questioner.asker.give_place_up();
        source = questioner.replacement.take().await;
    }
}
