//! For tests: what was called, and how to misbehave. No key needed; this program is never deployed.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Json};

use crate::App;
use crate::behaviour::Behaviour;
use crate::markers;

pub(crate) fn routes(config: &mut web::ServiceConfig) {
    let calls =
        web::resource("/calls").route(web::get().to(show_calls)).route(web::delete().to(forget_calls));
    let behaviour = web::resource("/behaviour")
        .route(web::get().to(show_behaviour))
        .route(web::put().to(set_behaviour))
        .route(web::delete().to(reset_behaviour));
    config.service(
        web::scope("/debug").service(calls).service(behaviour).route("/markers", web::get().to(show_markers)),
    );
}

async fn show_calls(app: Data<App>) -> HttpResponse {
    HttpResponse::Ok().json(app.calls.report())
}

async fn forget_calls(app: Data<App>) -> HttpResponse {
    app.calls.reset();
    HttpResponse::NoContent().finish()
}

async fn show_behaviour(app: Data<App>) -> HttpResponse {
    HttpResponse::Ok().json(app.conduct.get())
}

async fn set_behaviour(app: Data<App>, behaviour: Json<Behaviour>) -> HttpResponse {
    app.conduct.set(behaviour.into_inner());
    HttpResponse::Ok().json(app.conduct.get())
}

async fn reset_behaviour(app: Data<App>) -> HttpResponse {
    app.conduct.set(Behaviour::default());
    HttpResponse::NoContent().finish()
}

async fn show_markers(app: Data<App>) -> HttpResponse {
    HttpResponse::Ok().json(app.store.read(markers::collect))
}
