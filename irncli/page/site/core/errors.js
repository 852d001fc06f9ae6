/** An image that cannot be read or restored. The message is written for the user of the page. */
export class ImageError extends Error {
  constructor(message) {
    super(message);
    this.name = "ImageError";
  }
}
