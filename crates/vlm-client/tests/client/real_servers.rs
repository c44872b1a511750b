//! What real servers write, in all forms that were seen, is understood.

#[path = "../replies/mod.rs"]
mod replies;

use std::time::Duration;

use replies::{Reply, Server, replies};
use vlm_client::{
    AnswerEvent, AskHeaders, ChatRequest, Client, Endpoint, Error, ErrorKind, choose_model,
};

use super::support::question;

const LONG: Duration = Duration::from_secs(20);

#[derive(Debug, Default)]
struct Answer {
    text: String,
    thought: String,
}

async fn ask(base: &str, model: &str) -> Result<Answer, Error> {
    let request = ChatRequest { model: model.into(), ..question() };
    let endpoint = Endpoint::new(base, None).unwrap();
    let client = Client::new().unwrap();
    let mut stream = client.ask(&endpoint, &request, &AskHeaders::default(), LONG).await?;
    let mut answer = Answer::default();
    let mut is_done = false;
    while let Some(event) = stream.next().await {
        assert!(!is_done, "something follows the end");
        match event? {
            AnswerEvent::Text(text) => answer.text += &text,
            AnswerEvent::Reasoning(text) => answer.thought += &text,
            AnswerEvent::TakenBack => answer.thought += &std::mem::take(&mut answer.text),
            AnswerEvent::Done(summary) => {
                assert!(!summary.finish_reason.contains('\0'));
                is_done = true;
            }
        }
    }
    assert!(is_done, "there is neither an end nor an error");
    Ok(answer)
}

/// What is wrong with what has come of a reply, if anything is.
fn verdict(reply: &Reply, came: &Result<Answer, Error>) -> Option<String> {
    let is_right = match came {
        Ok(answer) => {
            reply.error_says.is_none()
                && reply.answer.as_ref().is_none_or(|text| *text == answer.text)
                && reply.answer_contains.as_ref().is_none_or(|text| answer.text.contains(text))
                && reply.thinks.is_none_or(|thinks| thinks != answer.thought.is_empty())
        }
        Err(error) => {
            let said = error.to_string();
            let between = |[least, most]: [u64; 2]| {
                let after = error.retry_after().map(|after| after.as_millis());
                after.is_some_and(|ms| (u128::from(least)..=u128::from(most)).contains(&ms))
            };
            reply.error_says.as_ref().is_some_and(|words| words.iter().all(|it| said.contains(it)))
                && reply.kind.as_ref().is_none_or(|kind| *kind == error.kind.name())
                && reply.is_retried.is_none_or(|is_retried| is_retried == error.is_passing())
                && reply.retry_in_ms.is_none_or(between)
        }
    };
    (!is_right).then(|| format!("{}: {came:?}", reply.name))
}

async fn check(file: &str) {
    let mut wrong = Vec::new();
    for reply in replies(file) {
        let server = Server::answering(&reply);
        wrong.extend(verdict(&reply, &ask(&server.base, "m").await));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn answers_are_read_in_every_form() {
    check("answers.toml").await;
}

#[tokio::test]
async fn thoughts_are_told_from_answers_in_every_form() {
    check("thoughts.toml").await;
}

#[tokio::test]
async fn failures_that_are_said_with_success_are_failures() {
    check("failures.toml").await;
}

#[tokio::test]
async fn refusals_are_told_in_the_servers_words() {
    check("refusals.toml").await;
}

#[tokio::test]
async fn what_is_refused_is_told_from_its_like() {
    for file in ["no-vision.toml", "unknown-models.toml", "quotas.toml"] {
        check(file).await;
    }
}

#[tokio::test]
async fn servers_say_when_they_want_to_be_asked_again() {
    check("later.toml").await;
}

#[tokio::test]
async fn notices_are_passed_over() {
    check("notices.toml").await;
}

#[tokio::test]
async fn lists_of_models_are_read_in_every_form() {
    let mut wrong = Vec::new();
    for reply in replies("models.toml") {
        let server = Server::listing(&reply);
        let endpoint = Endpoint::new(&server.base, None).unwrap();
        let models = Client::new().unwrap().models(&endpoint, LONG).await;
        let came = match models.map(|models| choose_model(&models).cloned()) {
            Ok(Some(model)) => ask(&server.base, &model.id).await.map(|answer| (answer, model.id)),
            Ok(None) => Err(Error::new(&server.base, ErrorKind::NoModel)),
            Err(error) => Err(error),
        };
        if let Ok((_, model)) = &came
            && reply.model.as_ref().is_some_and(|right| right != model)
        {
            wrong.push(format!("{}: {model} was chosen", reply.name));
        }
        wrong.extend(verdict(&reply, &came.map(|(answer, _)| answer)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
