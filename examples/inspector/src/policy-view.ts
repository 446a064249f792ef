import type { CreatedKeyPolicy } from '@enclavejs/kms-enclave/policy'
import { element, type Child } from './element.ts'
import { icon } from './icon.ts'
import { asError } from './inspection.ts'
import { makePolicy, type PolicySource } from './policy.ts'
import { printable } from './text.ts'

const CREATE = 'aws kms create-key --policy file://policy.json'
const EXAMPLE = '111122223333'
const BYPASS = ' --bypass-policy-lockout-safety-check'

/** The policy that would admit what was verified, or why there is none. */
export function policyView(source: PolicySource | undefined): readonly Child[] {
  if (source === undefined) {
    return [
      note(
        'No policy: only PCRs of a verified document, or of an image measured here, go into one. Others may be anybody’s.',
      ),
    ]
  }
  if (source.debugMode) {
    return [
      note('No policy: PCRs of debug mode are zero, and would admit every debug enclave there is.'),
    ]
  }
  let made: CreatedKeyPolicy
  try {
    made = makePolicy(source)
  } catch (cause) {
    return [note(`No policy yet: ${printable(asError(cause).message)}`)]
  }
  const text = JSON.stringify(made.policy, null, 2)
  const command = CREATE + (made.bypassPolicyLockoutSafetyCheck ? BYPASS : '')
  return [
    element(
      'p',
      {},
      source.from === 'document'
        ? 'It admits what this document was verified to run, and nothing else.'
        : 'It admits the image that was measured here, and nothing else; the document was not asked.',
    ),
    element('pre', { id: 'policy-json', tabindex: '0', 'aria-label': 'Key policy' }, text),
    element('div', { class: 'buttons' }, copyButton('Copy', text), saveLink(text)),
    text.includes(EXAMPLE) && note(`${EXAMPLE} is an example account: put yours.`),
    element('p', {}, 'Then: ', element('code', {}, command)),
  ]
}

function note(text: string): HTMLElement {
  return element('p', { class: 'note' }, icon('dash'), element('span', {}, text))
}

function copyButton(label: string, text: string): HTMLElement {
  const button = element('button', { type: 'button' }, label)
  button.addEventListener('click', () => {
    const say = (outcome: string) => (): void => {
      button.textContent = outcome
    }
    const failed = say('Not copied: select it')
    // A page that came over plain HTTP has no clipboard.
    const { clipboard } = navigator as Partial<Navigator>
    if (clipboard === undefined) failed()
    else clipboard.writeText(text).then(say('Copied'), failed)
  })
  return button
}

function saveLink(text: string): HTMLElement {
  const button = element('button', { type: 'button' }, 'Save policy.json')
  button.addEventListener('click', () => {
    const address = URL.createObjectURL(new Blob([text], { type: 'application/json' }))
    element('a', { href: address, download: 'policy.json' }).click()
    setTimeout(() => URL.revokeObjectURL(address), 1000)
  })
  return button
}
