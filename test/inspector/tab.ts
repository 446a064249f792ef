import { writeFileSync } from 'node:fs'

type Send = <Result>(method: string, params?: object) => Promise<Result>

/** A node of the accessibility tree, as a screen reader is told. */
export interface Accessible {
  readonly role: string
  readonly name: string
  readonly ignored: boolean
  readonly properties: Readonly<Record<string, unknown>>
}

interface AxNode {
  readonly ignored: boolean
  readonly role?: { readonly value: string }
  readonly name?: { readonly value: string }
  readonly properties?: readonly { readonly name: string; readonly value: { value?: unknown } }[]
}

/** A page in Chromium: what a person can do with it, and what it did. */
export class Tab {
  readonly #send: Send
  #loaded: () => void = () => {}
  /** Every address that was asked for, the page's own first. */
  readonly requests: string[] = []
  /** What the browser refused, and errors that nobody caught. */
  readonly complaints: string[] = []
  /** Dialogs that were opened: none should be. */
  readonly dialogs: string[] = []

  constructor(send: Send) {
    this.#send = send
  }

  heard(method: string, params: unknown): void {
    if (method === 'Page.loadEventFired') this.#loaded()
    if (method === 'Network.requestWillBeSent') {
      this.requests.push((params as { request: { url: string } }).request.url)
    }
    if (method === 'Runtime.exceptionThrown' || method === 'Log.entryAdded') {
      this.complaints.push(JSON.stringify(params))
    }
    if (method === 'Page.javascriptDialogOpening') {
      this.dialogs.push(JSON.stringify(params))
      void this.#send('Page.handleJavaScriptDialog', { accept: false })
    }
  }

  async load(url: string): Promise<void> {
    for (const domain of ['Page', 'Runtime', 'Network', 'Log', 'DOM', 'Accessibility']) {
      await this.#send(`${domain}.enable`)
    }
    const loaded = new Promise<void>((resolve) => (this.#loaded = resolve))
    await this.#send('Page.navigate', { url })
    await loaded
  }

  async evaluate<Result>(expression: string): Promise<Result> {
    const { result, exceptionDetails } = await this.#send<{
      result: { value: Result }
      exceptionDetails?: { exception?: { description?: string }; text: string }
    }>('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true })
    if (exceptionDetails !== undefined) {
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
    }
    return result.value
  }

  /** The text that a person sees of the first element that matches; empty where there is none. */
  text(selector: string): Promise<string> {
    return this.evaluate(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? ''`)
  }

  /** Waits until an expression holds. */
  async until(expression: string, timeout = 15_000): Promise<void> {
    const end = Date.now() + timeout
    while (!(await this.evaluate<boolean>(`Boolean(${expression})`))) {
      if (Date.now() > end) {
        throw new Error(`not within ${timeout} ms: ${expression}\n${await this.text('body')}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
  }

  /** Drops files onto the page, as from a file manager. */
  async drop(...files: readonly string[]): Promise<void> {
    const data = { items: [], files, dragOperationsMask: 1 }
    for (const type of ['dragEnter', 'dragOver', 'drop']) {
      await this.#send('Input.dispatchDragEvent', { type, x: 300, y: 300, data })
    }
  }

  /** What the file dialog of an input would give. */
  async chooseFile(selector: string, file: string): Promise<void> {
    const { root } = await this.#send<{ root: { nodeId: number } }>('DOM.getDocument')
    const { nodeId } = await this.#send<{ nodeId: number }>('DOM.querySelector', {
      ...{ nodeId: root.nodeId, selector },
    })
    await this.#send('DOM.setFileInputFiles', { files: [file], nodeId })
  }

  async press(key: string, code: string, keyCode: number, text?: string): Promise<void> {
    const event = { key, code, windowsVirtualKeyCode: keyCode }
    const down = text === undefined ? { type: 'rawKeyDown' } : { type: 'keyDown', text }
    await this.#send('Input.dispatchKeyEvent', { ...event, ...down })
    await this.#send('Input.dispatchKeyEvent', { ...event, type: 'keyUp' })
  }

  async pressTab(): Promise<void> {
    await this.press('Tab', 'Tab', 9)
  }

  async pressSpace(): Promise<void> {
    await this.press(' ', 'Space', 32, ' ')
  }

  async pressEnter(): Promise<void> {
    await this.press('Enter', 'Enter', 13, '\r')
  }

  /** Goes from control to control by the keyboard, until one with that id has the focus. */
  async tabTo(id: string): Promise<number> {
    for (let count = 1; count < 60; count++) {
      await this.pressTab()
      if ((await this.evaluate<string>('document.activeElement?.id ?? ""')) === id) return count
    }
    throw new Error(`the keyboard does not reach #${id}`)
  }

  /** Types, or pastes, where the focus is. */
  async insert(text: string): Promise<void> {
    await this.#send('Input.insertText', { text })
  }

  /** Clicks as a person does: with leave for what needs a gesture. */
  async click(selector: string): Promise<void> {
    const expression = `document.querySelector(${JSON.stringify(selector)}).click()`
    await this.#send('Page.bringToFront')
    await this.#send('Runtime.evaluate', { expression, userGesture: true })
  }

  /** Where downloads go. */
  async saveTo(downloadPath: string): Promise<void> {
    await this.#send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath })
  }

  /** What a screen reader is told, without what it is not. */
  async accessibles(): Promise<readonly Accessible[]> {
    const { nodes } = await this.#send<{ nodes: readonly AxNode[] }>('Accessibility.getFullAXTree')
    return nodes
      .map(({ role, name, ignored, properties = [] }) => ({
        ...{ role: role?.value ?? '', name: name?.value ?? '', ignored },
        properties: Object.fromEntries(properties.map((one) => [one.name, one.value.value])),
      }))
      .filter(({ ignored }) => !ignored)
  }

  /** Light or dark, and how wide the window is. */
  async look(scheme: 'light' | 'dark', width: number): Promise<void> {
    await this.#send('Emulation.setEmulatedMedia', {
      features: [
        { name: 'prefers-color-scheme', value: scheme },
        { name: 'prefers-reduced-motion', value: 'reduce' },
      ],
    })
    await this.#send('Emulation.setDeviceMetricsOverride', {
      ...{ width, height: 900, deviceScaleFactor: 1, mobile: width < 600 },
    })
  }

  /** The page as a picture, or what of it is in the window. */
  async screenshot(file: string, whole = true): Promise<void> {
    const { data } = await this.#send<{ data: string }>('Page.captureScreenshot', {
      ...{ format: 'png', captureBeyondViewport: whole },
    })
    writeFileSync(file, Buffer.from(data, 'base64'))
  }
}
