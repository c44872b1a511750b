//! What is left after many connects and hang-ups.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use crate::{
    Failure, Tool,
    process::megabytes,
    report::{Report, table},
    viewer::{Browser, Viewer, Wish},
    vlm::Vlm,
};

pub(crate) async fn measure(
    tool: &Tool,
    cycles: usize,
    quiet: Duration,
) -> Result<Report, Failure> {
    let vlm = Vlm::start(4, Duration::from_millis(20)).await?;
    let server = tool.serve(&vlm).await?;
    let (mut rows, mut figures) = (Vec::new(), Vec::new());
    for cycle in 0..=cycles {
        if [0, 1, 10, cycles].contains(&cycle) {
            sleep(quiet).await;
            let look = server.look()?;
            let memory = megabytes(look.memory);
            rows.push(vec![
                format!("after {cycle}"),
                format!("{}", look.threads),
                format!("{}", look.files),
                format!("{memory:.1}"),
            ]);
            figures.push(json!({
                "cycles": cycle, "threads": look.threads, "files": look.files, "memory_mb": memory,
            }));
        }
        if cycle < cycles {
            let browser = Browser::visit(&tool.http, &server.address).await?;
            let mut viewer = Viewer::connect(&browser, &tool.video, &Wish::default()).await?;
            viewer.answer().await?;
            viewer.hang_up().await;
        }
    }
    let text = table(&["", "threads", "files", "MB"], &rows);
    let text = format!("leaks: connect, one answer, hang up, {}\n{text}", tool.video);
    Ok(Report { text, figures: json!({"looks": figures}) })
}
