(async () => {
  const bytes = Uint8Array.from(atob(document.getElementById('script').textContent), (one) => one.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
  const script = document.createElement('script');
  script.textContent = await new Response(stream).text();
  document.body.append(script);
})().catch((error) => {
  document.getElementById('bench').textContent = `The live view could not start (${error.message}).`;
  document.documentElement.dataset.ready = 'failed';
});
