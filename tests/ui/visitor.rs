//! A person with a browser that does nothing by itself but keep cookies.

use std::cell::RefCell;

use reqwest::{
    Method,
    blocking::{Client, RequestBuilder},
    redirect::Policy,
};

use crate::{
    site::Site,
    support::http::{Answer, send},
};

/// Who visits a site.
pub(crate) struct Visitor {
    origin: String,
    client: Client,
    /// The cookies, as the browser sends them.
    pub(crate) cookie: RefCell<Option<String>>,
}

impl Visitor {
    pub(crate) fn new(site: &Site) -> Self {
        Self::at(&site.origin())
    }

    pub(crate) fn at(origin: &str) -> Self {
        let client = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        Self { origin: origin.to_owned(), client, cookie: RefCell::default() }
    }

    /// One who has logged in.
    pub(crate) fn logged_in(site: &Site, user: &str) -> Self {
        let visitor = Self::new(site);
        let answer = visitor.log_in(user, &format!("{user}-pw"));
        assert_eq!(answer.status, 303, "{}", text(&answer));
        visitor
    }

    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.origin));
        self.cookie.borrow().iter().fold(request, |request, cookie| request.header("Cookie", cookie))
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path).header("Accept", "text/html"))
    }

    /// A page that must be shown.
    #[track_caller]
    pub(crate) fn page(&self, path: &str) -> String {
        let answer = self.get(path).expect(200);
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
        text(&answer)
    }

    /// Sends a form as the page that has it would, with the cookie that the answer sets kept.
    pub(crate) fn submit(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let request = self.request(Method::POST, path).header("Origin", &self.origin).form(fields);
        let answer = send(request);
        if let Some(set) = answer.header("set-cookie") {
            let pair = set.split(';').next().unwrap();
            *self.cookie.borrow_mut() = Some(pair.to_owned()).filter(|pair| !pair.ends_with('='));
        }
        answer
    }

    /// Fills in the form of the login.
    pub(crate) fn log_in(&self, user: &str, password: &str) -> Answer {
        let token = hidden(&self.page("/ui/login"), "form_token");
        self.submit("/ui/login", &[("user", user), ("password", password), ("form_token", &token)])
    }

    /// Sends the form of a page to delete something.
    pub(crate) fn delete(&self, path: &str) -> Answer {
        let page = self.page(path);
        self.submit(path, &[("form_token", &hidden(&page, "form_token")), ("plan", &hidden(&page, "plan"))])
    }
}

/// The body as text.
pub(crate) fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.to_vec()).unwrap()
}

/// The value of a hidden field: of the last one, which is that of the page's own form.
#[track_caller]
pub(crate) fn hidden(page: &str, name: &str) -> String {
    let beginning = format!("type=\"hidden\" name=\"{name}\" value=\"");
    let (_, rest) = page.rsplit_once(&beginning).unwrap_or_else(|| panic!("no {name} in {page}"));
    rest.split('"').next().unwrap().to_owned()
}
