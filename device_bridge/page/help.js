/** What to change on the phone when a step fails, by platform. */
import { browser, browserName, isApple } from './platform.js';

/** @returns {{title: string, lines: string[]}} */
export function cameraHelp(kind) {
  if (kind === 'secure') return certificateHelp();
  if (kind === 'busy') {
    return {
      title: 'Free the camera',
      lines: ['Close other apps and pages that show the camera.', 'Tap the button below.'],
    };
  }
  if (kind === 'none') {
    return {
      title: 'Go on without a camera',
      lines: ['Tap "Use a photo instead" and choose a picture of this device.'],
    };
  }
  return { title: 'Let the camera in', lines: permissionLines() };
}

function permissionLines() {
  const last = 'Come back and tap the button below.';
  if (isApple()) {
    const first =
      browser() === 'safari'
        ? ['Tap aA at the left of the address bar.', 'Website settings, Camera, Allow.']
        : [`Open Settings, ${browserName()}.`, 'Switch Camera on.'];
    return [...first, last];
  }
  if (browser() === 'firefox') {
    return ['Tap the lock at the left of the address.', 'Camera, Allowed.', last];
  }
  if (browser() === 'samsung') {
    return ['Tap the lock at the left of the address.', 'Permissions, Camera, Allow.', last];
  }
  return ['Tap the icon at the left of the address.', 'Permissions, Camera, Allow.', last];
}

/** @returns {{title: string, lines: string[]}} */
export function certificateHelp() {
  if (isApple()) {
    return {
      title: "Trust the studio's certificate",
      lines: [
        'Download the certificate below and allow the profile.',
        'Settings, General, VPN & Device Management: install "Fretsaw".',
        'Settings, General, About, Certificate Trust Settings: switch it on.',
        'Compare the fingerprint with the one in the studio, then open this page again.',
      ],
    };
  }
  return {
    title: 'Open the https address',
    lines: [
      'Scan the code in the studio again: its address begins with https.',
      'At the warning choose Advanced, then Proceed.',
      'Or connect the cable: over USB no certificate is needed.',
    ],
  };
}

/** @returns {{title: string, lines: string[]}} */
export function lostHelp() {
  return {
    title: 'Reach the studio again',
    lines: [
      'See that the studio is open and its Phone panel is shown.',
      'Join the same Wi-Fi on phone and computer; guest networks keep devices apart.',
      'Or connect the cable and choose USB in the studio.',
    ],
  };
}

/** @returns {{title: string, lines: string[]}} */
export function storageHelp() {
  return {
    title: "This phone's storage is full",
    lines: [
      'Remove edits that you do not need under Edits, or tap "Clear storage".',
      isApple()
        ? 'Settings, General, iPhone Storage shows what takes the space.'
        : 'Settings, Storage shows what takes the space.',
      'Until then new edits stay only as long as this page is open.',
    ],
  };
}
