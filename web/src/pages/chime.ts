// Two soft tones when a person arrives, three when they have said yes.
let context: AudioContext | null = null;

export function chime(accepted: boolean) {
  try {
    context ??= new AudioContext();
    const audio = context;
    const tones = accepted ? [523, 659, 784] : [523, 659];
    tones.forEach((frequency, index) => {
      const oscillator = audio.createOscillator();
      const volume = audio.createGain();
      const start = audio.currentTime + index * 0.14;
      oscillator.frequency.value = frequency;
      volume.gain.setValueAtTime(0, start);
      volume.gain.linearRampToValueAtTime(0.12, start + 0.02);
      volume.gain.exponentialRampToValueAtTime(0.001, start + 0.3);
      oscillator.connect(volume).connect(audio.destination);
      oscillator.start(start);
      oscillator.stop(start + 0.32);
    });
  } catch {
    // A browser without sound still has the title and the card.
  }
}
