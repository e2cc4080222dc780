// Shows the description of the API. A file of its own, since the policy allows no script in a page.
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null,
});
