<?php
/**
 * The payment method in the block checkout.
 *
 * @package StreamPay\WooCommerce
 */

declare(strict_types=1);

namespace StreamPay\WooCommerce;

use Automattic\WooCommerce\Blocks\Payments\Integrations\AbstractPaymentMethodType;

/** Tells the browser's registry what to show; the payment itself goes through the same gateway class. */
final class Blocks extends AbstractPaymentMethodType {

	/**
	 * The gateway's id.
	 *
	 * @var string
	 */
	protected $name = Plugin::ID;

	/** Read the settings. */
	public function initialize(): void {
		$settings       = get_option( Settings::OPTION, array() );
		$this->settings = is_array( $settings ) ? $settings : array();
	}

	/** Tell whether the method is on offer. */
	public function is_active(): bool {
		$gateway = $this->gateway();
		return null !== $gateway && $gateway->is_available();
	}

	/** @return list<string> A plain script: nothing is built. */
	public function get_payment_method_script_handles(): array {
		wp_register_script(
			'streampay-blocks',
			plugins_url( 'assets/blocks.js', PLUGIN_FILE ),
			array( 'wc-blocks-registry', 'wc-settings', 'wp-element', 'wp-html-entities' ),
			VERSION,
			true
		);
		return array( 'streampay-blocks' );
	}

	/** @return array<string, mixed> What the script shows. */
	public function get_payment_method_data(): array {
		$gateway = $this->gateway();
		return array(
			'title'       => null === $gateway ? '' : $gateway->get_title(),
			'description' => null === $gateway ? '' : $gateway->get_description(),
			'supports'    => $this->get_supported_features(),
		);
	}

	/** @return list<string> */
	public function get_supported_features(): array {
		$gateway = $this->gateway();
		return null === $gateway ? array() : array_values( $gateway->supports );
	}

	private function gateway(): ?Gateway {
		$gateway = WC()->payment_gateways()->payment_gateways()[ Plugin::ID ] ?? null;
		return $gateway instanceof Gateway ? $gateway : null;
	}
}
